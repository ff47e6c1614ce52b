"""`framing.cut` as tensor operations, for a whole batch on its device.

out = Wy image Wx^T, with two small weight matrices for each image. The result is that of OpenCV's
INTER_AREA up to rounding: pixels differ by at most one level, 9 % of them on noise images (OpenCV's
fixed point rounds down when it enlarges), and none if nothing is resized.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def cut_batch(pixels: Tensor, boxes: Tensor, flips: Tensor, side: int) -> Tensor:
    """`framing.cut` for a batch on its device, within one level of `cut`.

    `pixels` (N, H, W, 3) uint8, `boxes` (N, 4) of top, left, height, width, `flips` (N,) bool.
    Returns (N, side, side, 3) uint8.
    """
    top, left, height, width = boxes[:, :, None].unbind(1)
    grows = (height < side) | (width < side)
    rows = weights(top, height, side, pixels.shape[1], grows)
    columns = weights(left, width, side, pixels.shape[2], grows)
    columns = torch.where(flips[:, None, None], columns.flip(1), columns)
    n, h, w, _ = pixels.shape
    planes = pixels.permute(0, 1, 3, 2).to(torch.float32, memory_format=torch.contiguous_format)
    with torch.autocast(pixels.device.type, enabled=False):
        narrow = torch.bmm(planes.view(n, 3 * h, w), columns.transpose(1, 2))
        out = torch.bmm(rows, narrow.view(n, h, 3 * side)).view(n, side, 3, side)
    return out.round_().to(torch.uint8).permute(0, 1, 3, 2).contiguous()


def weights(start: Tensor, size: Tensor, side: int, length: int, grows: Tensor) -> Tensor:
    """(N, side, length) float32: the weight of each of `length` pixels in each output pixel.

    Along one axis of a crop of `size` pixels from `start`. `grows`: either axis of the crop is
    enlarged. All three are (N, 1).

    As cv2.resize with INTER_AREA. If both axes shrink, a weight is the share of the pixel that the
    output pixel covers. Otherwise OpenCV blends two neighbouring pixels. The edges are computed in
    float64: where an output edge meets a pixel's edge, rounding may select the pixel before it.
    """
    # elementwise: torch computes `side / size` as side * (1 / size), which rounds otherwise
    growth = torch.full_like(size, side, dtype=torch.float64) / size
    pixel = torch.arange(length, device=start.device) - start  # (N, length), from the crop's edge
    edges = torch.arange(side + 1, device=start.device) * growth.reciprocal()  # (N, side + 1)
    before = (edges.float()[:, :, None] - pixel[:, None]).clamp_(0, 1)  # share before an edge
    shares = (before[:, 1:] - before[:, :-1]) * growth.float()[:, :, None]
    first = edges[:, :-1].floor()
    second = torch.arange(1, side + 1, device=start.device) - (first + 1) * growth
    second = torch.where(second > 0, second - second.floor(), 0).float()[:, :, None]
    away = pixel[:, None] - first.long()[:, :, None]
    taps = (away == 0) * (1 - second) + (away == 1) * second
    return torch.where(grows[:, :, None], taps, shares)
