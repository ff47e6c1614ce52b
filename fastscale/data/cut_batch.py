"""`framing.cut` as tensor operations, for a whole batch on its device: out = Wy image Wx^T, with two
small matrices of weights for each image. As OpenCV's INTER_AREA, up to how that rounds: a pixel
differs by one level at most, in 9 % of the pixels of noise (OpenCV's fixed point rounds down where
it enlarges), and by none where nothing is resized."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def cut_batch(pixels: Tensor, boxes: Tensor, flips: Tensor, side: int) -> Tensor:
    """`framing.cut` for a batch on its device: (N, H, W, 3) uint8, boxes (N, 4) of top, left,
    height, width and flips (N,) bool -> (N, side, side, 3) uint8. At most one level from `cut`."""
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
    """(N, side, length) float32: how much of each of `length` pixels is in each of `side` output
    pixels, along one axis of a crop of `size` pixels from `start`; `grows`: an axis of the crop is
    enlarged. All three (N, 1).

    As cv2.resize with INTER_AREA: the share of a pixel that the output pixel covers, where both
    axes shrink; else between two pixels, which is the same where this axis grows, but for OpenCV's
    rounding: where an edge meets a pixel's, it may take the pixel before. So that is in float64.
    """
    # a division each: `side / size` is a product with 1 / size in torch, rounded otherwise
    growth = torch.full_like(size, side, dtype=torch.float64) / size
    pixel = torch.arange(length, device=start.device) - start  # (N, length), from the crop's edge
    edges = torch.arange(side + 1, device=start.device) * growth.reciprocal()  # (N, side + 1)
    before = (edges.float()[:, :, None] - pixel[:, None]).clamp_(0, 1)  # of a pixel, before an edge
    shares = (before[:, 1:] - before[:, :-1]) * growth.float()[:, :, None]
    first = edges[:, :-1].floor()
    second = torch.arange(1, side + 1, device=start.device) - (first + 1) * growth
    second = torch.where(second > 0, second - second.floor(), 0).float()[:, :, None]
    away = pixel[:, None] - first.long()[:, :, None]
    taps = (away == 0) * (1 - second) + (away == 1) * second
    return torch.where(grows[:, :, None], taps, shares)
