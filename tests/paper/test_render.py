"""House style: one style per strategy, round ticks, text that does not overlap."""

import itertools

import pytest

import fastscale as fs
from fastscale.paper.chart import Chart, Mark, Picture
from fastscale.paper.render import files, house_style, plain_ticks, render, wrapped
from fastscale.paper.style import GREY, STRATEGY_LABELS, family_style, strategy_style


def test_each_strategy_has_its_own_colour_and_marker():
    styles = [strategy_style(name)[:2] for name in (None, *STRATEGY_LABELS, "orig")]
    assert (
        len({colour for colour, _ in styles})
        == len({marker for _, marker in styles})
        == len(styles)
        == 12
    )


def test_each_family_has_its_own_colour_and_marker():
    bases = (
        "efficientnet-b0",
        "regnetx-400mf.dds",
        "regnety-4gf",
        "regnetz-500mf",
        "resnet-50",
        "resnext-101",
    )
    styles = [family_style(fs.arch(base).family) for base in bases]
    assert (
        len({style.colour for style in styles})
        == len({style.marker for style in styles})
        == len({style.label for style in styles})
        == 6
    )


def test_an_unlisted_family_has_a_neutral_style():
    assert family_style("Mine") == (GREY, "d", 8.0, "Mine")
    assert family_style("Mine", "dWr", by_strategy=True).marker == strategy_style("dWr").marker


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("w", "wg"),
        ("dwr", "dwgr"),
        ("dWr", "d1_w8_g8_r1"),
        ("dWr", "alpha=4/5"),
        ("dwr", "alpha=1/3"),
        ("dwgr", "dwrg"),
        ("d1_w4_g4_r1", "alpha=.6666666"),
    ],
)
def test_two_spellings_share_a_style(a, b):
    assert strategy_style(a)[:3] == strategy_style(b)[:3]


def test_a_strategy_with_group_width_is_named_as_it_was_run():
    assert (
        strategy_style("wg").label == "wg: width"
        and strategy_style("dwgr").label == "dwgr: all equally (compound)"
    )
    assert strategy_style("alpha=0.8").label == strategy_style("dWr").label


@pytest.mark.parametrize(("low", "high"), [(0.9, 5.3), (0.3, 40), (3, 5), (1, 5000)])
def test_ticks_are_round_and_few(low, high):
    ticks = plain_ticks(low, high)
    assert 2 <= len(ticks) <= 7 and all(low <= tick <= high for tick in ticks)
    assert all(f"{tick:g}".strip("0.") in "12345678" for tick in ticks)


def test_a_single_point_can_be_drawn():
    chart = Chart("x", "y", [Mark(strategy_style("d"), 2.0, 5.0)], log_x=True, zero_y=False)
    made = files(Picture("T", ["s"], [chart]))
    assert list(made) == ["svg", "png"] and all(len(content) > 1000 for content in made.values())


def test_nothing_written_covers_anything_else():
    """Titles, notes, headings, axes and legend do not overlap, whatever they contain."""
    marks = [Mark(strategy_style(name), 1 + i, 2 + i) for i, name in enumerate(STRATEGY_LABELS)]
    chart = Chart("x", "y", marks, heading="r = 0.93, of logs 0.98, n = 36", log_x=True)
    for panels, columns in ((1, 1), (1, 2), (2, 2), (3, 3)):
        picture = Picture(
            "title\nsecond line", ["said " * 60], [chart] * panels, columns, "caution"
        )
        with house_style():
            figure = render(picture)
            renderer = figure.canvas.get_renderer()
            boxes = [text.get_window_extent(renderer) for text in figure.texts]
            boxes += [legend.get_window_extent(renderer) for legend in figure.legends]
            boxes += [ax.get_tightbbox(renderer) for ax in figure.axes]
            assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2)), columns
            wide = figure.bbox.width
            assert all(box.x0 >= 0 and box.x1 <= wide for box in boxes), columns
            assert figure.axes[-1].get_position().x1 > 0.95, "the right half is empty"


def test_notes_break_at_spaces_and_fill_the_width():
    text = "of regnety-16px-small.dWr-x4.1 " * 4
    lines = wrapped(text, 4.0, 8.5)
    assert " ".join(lines) == text.strip() and 2 <= len(lines) <= 3
