"""A layer and what it costs. One multiply-add is one flop; acts are elements of conv outputs (paper's
convention, authors' code)."""

from typing import NamedTuple

KINDS = ("conv", "linear", "maxpool")


class Layer(NamedTuple):
    """A layer that counts: `name` is the module's path, `size_in`/`size_out` are pixels along a side (1 for linear).

    A batch norm (2 params a channel, no flops, no acts) is a flag of the conv before it.
    """

    name: str
    kind: str
    w_in: int
    w_out: int
    size_in: int
    size_out: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False
    norm: bool = False

    @property
    def flops(self) -> int:
        """Multiply-adds of one image, a bias counted as one per output element."""
        if self.kind == "maxpool":
            return 0
        per_output = self.kernel**2 * (self.w_in // self.groups) + self.bias
        return per_output * self.w_out * self.size_out**2

    @property
    def params(self) -> int:
        """Weights, bias, and the scale and shift of the batch norm."""
        if self.kind == "maxpool":
            return 0
        return (
            self.kernel**2 * (self.w_in // self.groups) + self.bias + 2 * self.norm
        ) * self.w_out

    @property
    def acts(self) -> int:
        """Elements of the output: convs, the linear layer and max pools count; nothing else does."""
        return self.w_out * self.size_out**2


def out_size(size: int, stride: int) -> int:
    """Pixels along a side after a padded conv or pool with `stride`."""
    return (size - 1) // stride + 1


def conv(
    name: str,
    w_in: int,
    w_out: int,
    size: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    norm: bool = True,
) -> Layer:
    """A conv on a `size` x `size` input, with batch norm unless said otherwise."""
    return Layer(
        name, "conv", w_in, w_out, size, out_size(size, stride), kernel, stride, groups, bias, norm
    )
