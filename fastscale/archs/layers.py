"""A layer and its counts, in the paper's convention: one multiply-add is one flop, and acts are the
elements of conv outputs."""

from typing import NamedTuple

KINDS = ("conv", "linear", "maxpool")


class Layer(NamedTuple):
    """A layer that counts."""

    name: str  # the path of its module
    kind: str  # one of KINDS
    w_in: int
    w_out: int
    size_in: int  # pixels a side; 1 for linear
    size_out: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False
    norm: bool = False  # followed by batch norm: 2 params per channel, no flops, no acts

    @property
    def flops(self) -> int:
        """Multiply-adds for one image; a bias counts one per output element."""
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
        """Elements of the output; only convs, the linear layer and max pools count."""
        return self.w_out * self.size_out**2


def out_size(size: int, stride: int) -> int:
    """Pixels a side after a padded conv or pool with `stride`."""
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
    """A conv on a `size` x `size` input, by default with batch norm and no bias."""
    return Layer(
        name, "conv", w_in, w_out, size, out_size(size, stride), kernel, stride, groups, bias, norm
    )
