"""pycls' networks with pycls' names, written independently of our definitions; inputs are BGR."""

import torch
from torch import nn


def conv(w_in, w_out, k, stride=1, groups=1, bias=False):
    return nn.Conv2d(w_in, w_out, k, stride, k // 2, groups=groups, bias=bias)


class SE(nn.Module):
    def __init__(self, width, hidden, act):
        super().__init__()
        self.f_ex = nn.Sequential(
            conv(width, hidden, 1, bias=True),
            act(),
            conv(hidden, width, 1, bias=True),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.f_ex(nn.functional.adaptive_avg_pool2d(x, 1))


class Transform(nn.Sequential):
    def __init__(self, w_in, w_out, stride, v, groups, hidden, act):
        super().__init__()
        self.a, self.a_bn, self.a_af = conv(w_in, v, 1), nn.BatchNorm2d(v), act()
        self.b, self.b_bn, self.b_af = conv(v, v, 3, stride, groups), nn.BatchNorm2d(v), act()
        if hidden:
            self.se = SE(v, hidden, act)
        self.c, self.c_bn = conv(v, w_out, 1), nn.BatchNorm2d(w_out)


class ResBlock(nn.Module):
    """X and Y blocks; `linear`: Z's, without projection and last activation."""

    def __init__(self, w_in, w_out, stride, v, groups, hidden, act, linear):
        super().__init__()
        same = w_in == w_out and stride == 1
        if not same and not linear:
            self.proj, self.bn = conv(w_in, w_out, 1, stride), nn.BatchNorm2d(w_out)
        self.f = Transform(w_in, w_out, stride, v, groups, hidden, act)
        self.skip, self.af = same, nn.Identity() if linear else act()

    def forward(self, x):
        if hasattr(self, "proj"):
            return self.af(self.bn(self.proj(x)) + self.f(x))
        return self.af(x + self.f(x)) if self.skip else self.f(x)


class MBConv(nn.Module):
    def __init__(self, w_in, w_out, stride, expansion, k):
        super().__init__()
        v = w_in * expansion
        if expansion != 1:
            self.exp, self.exp_bn = conv(w_in, v, 1), nn.BatchNorm2d(v)
        self.dwise, self.dwise_bn = conv(v, v, k, stride, v), nn.BatchNorm2d(v)
        self.se = SE(v, int(w_in * 0.25), nn.SiLU)
        self.lin_proj, self.lin_proj_bn = conv(v, w_out, 1), nn.BatchNorm2d(w_out)
        self.skip, self.af = w_in == w_out and stride == 1, nn.SiLU()

    def forward(self, x):
        y = self.af(self.exp_bn(self.exp(x))) if hasattr(self, "exp") else x
        y = self.lin_proj_bn(self.lin_proj(self.se(self.af(self.dwise_bn(self.dwise(y))))))
        return x + y if self.skip else y


class Part(nn.Sequential):
    """A stem, or the conv of a head, with its names."""

    def __init__(self, bn, w_in, w_out, k, stride, act, pool=False):
        super().__init__()
        self.conv = conv(w_in, w_out, k, stride)
        self.add_module(bn, nn.BatchNorm2d(w_out))
        self.af = act()
        if pool:
            self.pool = nn.MaxPool2d(3, 2, 1)


class PyclsLike(nn.Module):
    """A network of pycls.

    `stem`: (kernel, width, pool); `stages`: (depth, width, stride, block(w_in, w_out, stride));
    `head`: (batch norm's name, width).
    """

    def __init__(self, stem, stages, head, act, classes=1000):
        super().__init__()
        k, w, pool = stem
        self.stem = Part("bn", 3, w, k, 2, act, pool)
        for i, (depth, width, stride, block) in enumerate(stages, 1):
            blocks = nn.Sequential()
            for j in range(depth):
                blocks.add_module(f"b{j + 1}", block(w, width, stride if j == 0 else 1))
                w = width
            self.add_module(f"s{i}", blocks)
        self.head = Part(head[0], w, head[1], 1, 1, act) if head else nn.Sequential()
        self.head.add_module("fc", nn.Linear(head[1] if head else w, classes))

    def forward(self, x):
        for name, part in self.named_children():
            if name != "head":
                x = part(x)
        for name, layer in self.head.named_children():
            x = layer(x.mean((2, 3)) if name == "fc" else x)
        return x


def _res(ratio, group_width, act=nn.ReLU, se=False, linear=False):
    def block(w_in, w_out, stride):
        v = round(w_out * ratio)
        return ResBlock(
            w_in,
            w_out,
            stride,
            v,
            v // (group_width or v),
            round(w_in * 0.25) if se else 0,
            act,
            linear,
        )

    return block


def _mb(expansion, k):
    return lambda w_in, w_out, stride: MBConv(w_in, w_out, stride, expansion, k)


def pycls_like(name: str) -> PyclsLike:
    """The network with pycls' names; written out here, so that it uses none of our definitions."""
    torch.manual_seed(1)
    if name == "regnetx-200mf.dds":
        block = _res(1, 8)
        return PyclsLike(
            (3, 32, False),
            [(d, w, 2, block) for d, w in ((1, 24), (1, 56), (4, 152), (7, 368))],
            None,
            nn.ReLU,
        )
    if name == "regnety-400mf.dds":
        block = _res(1, 8, se=True)
        return PyclsLike(
            (3, 32, False),
            [(d, w, 2, block) for d, w in ((1, 48), (3, 104), (6, 208), (6, 440))],
            None,
            nn.ReLU,
            7,
        )
    if name == "regnetz-500mf":
        block, stages = (
            _res(4, 4, nn.SiLU, se=True, linear=True),
            ((1, 16), (4, 40), (9, 104), (7, 256)),
        )
        return PyclsLike(
            (3, 32, False), [(d, w, 2, block) for d, w in stages], ("bn", 1000), nn.SiLU
        )
    if name == "resnet-50":
        stages = [(3, 256, 1), (4, 512, 2), (6, 1024, 2), (3, 2048, 2)]
        return PyclsLike(
            (7, 64, True), [(d, w, s, _res(0.25, 0)) for d, w, s in stages], None, nn.ReLU
        )
    assert name == "efficientnet-b0"
    shapes = (
        (1, 16, 1, 1, 3),
        (2, 24, 2, 6, 3),
        (2, 40, 2, 6, 5),
        (3, 80, 2, 6, 3),
        (3, 112, 1, 6, 5),
        (4, 192, 2, 6, 5),
        (1, 320, 1, 6, 3),
    )
    return PyclsLike(
        (3, 32, False),
        [(d, w, s, _mb(e, k)) for d, w, s, e, k in shapes],
        ("conv_bn", 1280),
        nn.SiLU,
    )
