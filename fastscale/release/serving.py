"""A network with its preprocessing, for programs without fastscale: pixels to probabilities.

It uses plain tensor operations, which every exporter supports. Images of any size are cropped to
the centre square and resized by area, as `data.framing.cut` does with OpenCV: two matrices of
weights, for rows and for columns, follow from the image's size. Single pixels may differ by one
level of 255, where the order of additions decides the rounding.
"""

import torch
from torch import Tensor, nn

from fastscale.release.preprocess import Preprocessing

LEAST_PART = 1e-3  # of a pixel: OpenCV ignores smaller parts


class Serving(nn.Module):
    """(N, R, R, 3) uint8 RGB, or (N, H, W, 3) with `any_size` -> logits and probabilities.

    Both outputs are (N, classes) float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, prepare: Preprocessing, any_size: bool = False):
        super().__init__()
        self.net, self.prepare, self.any_size = net, prepare, any_size
        for name, values in (("mean", prepare.mean), ("std", prepare.std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(3, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(logits, probabilities) of N images."""
        x = images.permute(0, 3, 1, 2).float()
        if self.any_size:
            x = resize_centre(x, self.prepare.resolution, self.prepare.test_resolution)
        logits = self.net((x - self.mean) / self.std)
        return logits, logits.softmax(1)


def resize_centre(x: Tensor, resolution: int, test_resolution: int) -> Tensor:
    """(N, 3, H, W) pixels -> (N, 3, R, R) whole numbers from 0 to 255.

    The crop is the box of `Framing(train=False)`.
    """
    down = torch.ones_like(x[0, 0, :, 0]).double()
    across = torch.ones_like(x[0, 0, 0, :]).double()
    height, width = down.sum(), across.sum()
    side = torch.minimum(height, width) * resolution / test_resolution
    side = side.floor().clamp(min=1)
    rows = _weights(down, ((height - side) / 2).floor(), side, resolution)
    columns = _weights(across, ((width - side) / 2).floor(), side, resolution)
    return (rows @ (x @ columns.T)).round().clamp(0, 255)


def _weights(ones: Tensor, start: Tensor, side: Tensor, cells: int) -> Tensor:
    """(cells, pixels): the share of each pixel in each cell, of `side` pixels from `start`.

    `ones`: (pixels,), float64.
    """
    pixel = (ones.cumsum(0) - 1 - start).unsqueeze(0)  # 0 at the first of the box
    cell = torch.arange(cells, dtype=torch.float64).unsqueeze(1)
    scale = side / cells
    begin, end = cell * scale, (cell + 1) * scale
    part = torch.minimum(pixel + 1, end) - torch.maximum(pixel, begin)
    area = torch.where(part > LEAST_PART, part.clamp(max=1), 0.0) / scale
    # fewer pixels than cells: interpolate between two
    at = begin.floor()
    beyond = (cell + 1) - (at + 1) / scale
    beyond = torch.where((beyond <= 0) | (at >= side - 1), 0.0, beyond - beyond.floor())
    at = torch.minimum(at, side - 1)
    linear = torch.where(pixel == at, 1 - beyond, 0.0)
    linear = linear + torch.where(pixel == at + 1, beyond, 0.0)
    return torch.where(scale >= 1, area, linear).float()
