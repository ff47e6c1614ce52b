"""Network: stem, stages of blocks and head; its module paths are the names of the arch's layers."""

from torch import Tensor, nn

from fastscale.archs import Arch
from fastscale.models.blocks import build_block
from fastscale.models.layers import Head, Stem, Style, initialise


class Network(nn.Module):
    """The module of an arch: (N, 3, H, W) normalised RGB -> (N, num_classes) logits.

    H and W need not be the arch's resolution. State-dict keys: `stem.conv.weight`,
    `stages.<i>.<j>.conv2.weight`, `stages.<i>.<j>.se.reduce.bias`, `head.fc.weight`, ...
    """

    def __init__(self, arch: Arch, num_classes: int = 1000, drop_path: float = 0.0):
        super().__init__()
        self.arch, self.num_classes = arch, num_classes
        style = Style.of(arch)
        (_, _, stem), *blocks, (_, _, head) = arch.parts(num_classes=num_classes)
        self.stem = Stem({layer.name.removeprefix("stem."): layer for layer in stem}, style)
        stages: list[list[nn.Module]] = [[] for _ in arch.depths]
        for prefix, repeats, layers in blocks:
            stage = stages[int(prefix.split(".")[1])]
            stage += [
                build_block(arch.block, {layer.name: layer for layer in layers}, style)
                for _ in range(repeats)
            ]
        self.stages = nn.Sequential(*(nn.Sequential(*stage) for stage in stages))
        self.head = Head({layer.name.removeprefix("head."): layer for layer in head}, style)
        flat = [block for stage in stages for block in stage]
        for i, block in enumerate(flat):
            block.drop_path = drop_path * i / max(1, len(flat) - 1)  # type: ignore[assignment]
        initialise(self)

    def _repr_html_(self) -> str:
        """The arch's table; `print` shows every module."""
        return self.arch._repr_html_()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        return self.head(self.stages(self.stem(x)))
