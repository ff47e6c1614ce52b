"""Fig. 3: blocks traced from the modules that are trained."""

import pytest

from fastscale.paper.blocks import built, trace_block
from fastscale.paper.figures.blocks import boxes


def words(steps):
    return [step.label for step in steps]


def test_y_block():
    block = trace_block(built("regnety-4gf"), 2, 1, "Y")
    assert words(block.main)[:6] == [
        "1x1 conv",
        "BN",
        "ReLU",
        "3x3 conv, group width 32",
        "BN",
        "ReLU",
    ]
    assert words(block.main)[6:] == ["SE: pool, 128 wide, ReLU, sigmoid", "1x1 conv", "BN"]
    assert block.shortcut == () and words(block.after) == ["ReLU"] and block.width == 512


def test_y_block_where_the_shape_changes():
    block = trace_block(built("regnety-4gf"), 2, 0, "Y")
    assert words(block.shortcut) == ["1x1 conv, stride 2", "BN"] and (
        block.width,
        block.shortcut[0].w_out,
    ) == (192, 512)
    assert "3x3 conv, group width 32, stride 2" in words(block.main)


def test_z_block():
    """Inverted: four times as wide inside, SiLU, SE of a quarter of the input, a linear end."""
    block = trace_block(built("regnetz-4gf"), 2, 1, "Z")
    assert [s.w_out for s in block.main if s.kind == "conv"] == [
        960,
        960,
        240,
    ] and block.width == 240
    assert "SE: pool, 60 wide, SiLU, sigmoid" in words(block.main) and words(block.main)[-1] == "BN"
    assert block.shortcut == () and block.after == ()
    assert trace_block(built("regnetz-4gf"), 2, 0, "Z").shortcut is None


def test_boxes_hold_every_operation():
    block = trace_block(built("regnety-4gf"), 2, 1, "Y")
    text = " ".join(line for _, lines, _ in boxes(block.main) for line in lines)
    assert (
        text.count("BN") == 3
        and text.count("conv") == 3
        and text.count("SE") == 1
        and text.count("ReLU") == 3
    )


def test_an_unknown_operation_is_not_passed_over(monkeypatch):
    from torch import nn

    from fastscale.models import blocks as module

    monkeypatch.setattr(module.Style, "norm", lambda self, width: nn.InstanceNorm2d(width))
    with pytest.raises(ValueError, match="InstanceNorm2d"):
        trace_block(built("regnety-500mf"), 1, 1, "Y")
    monkeypatch.undo()
    monkeypatch.setattr(module.Block, "forward", lambda self, x: self.conv3(self.conv1(x)) * 2)
    with pytest.raises(ValueError, match="unknown operation"):
        trace_block(built("regnety-500mf"), 1, 1, "Y")
