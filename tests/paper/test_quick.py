"""The quick comparison from made-up records: numbers, blanks, cautions, same bytes twice."""

import csv
import io
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from fastscale.errors import InputError
from fastscale.paper.artifacts import load_artifact
from fastscale.paper.build import write_pages
from fastscale.paper.comparison import compare
from fastscale.paper.pages import page
from fastscale.paper.quick import comparison_pages
from fastscale.paper.quick import quick_tables as tables_of
from fastscale.paper.selection import select
from fastscale.paper.smoke import png_chunks
from fastscale.paper.stats import pearson
from fastscale.paper.tables.comparison import (
    comparison_table,
    correlation,
    correlation_table,
    paper_correlations,
    where,
)
from fastscale.paper.tables.table import render_terminal, to_csv, to_markdown

FIGURES = (
    "error-vs-flops",
    "epoch-time-vs-flops",
    "epoch-time-vs-params",
    "epoch-time-vs-acts",
    "epoch-time-vs-all",
)


def quick_tables(records):
    return tables_of(records, load_artifact("quick"))


def draw_quick(records, folder):
    quick = load_artifact("quick")
    return write_pages(quick, comparison_pages(records, quick), folder)


def rows(table):
    return list(csv.DictReader(io.StringIO(to_csv(table))))


def test_numbers_are_those_of_the_records(synthetic):
    found = rows(quick_tables(synthetic())[0])
    assert [row["strategy"] for row in found] == ["base", "d", "wg", "r", "dwgr", "dWr"]
    for row in found:
        assert float(row["epoch_time_s_median"]) == pytest.approx(int(row["acts"]) / 1e6 * 100)
        assert float(row["epoch_time_s_spread"]) == pytest.approx(
            float(row["epoch_time_s_median"]) / 50
        )
        assert float(row["acts_growth"]) == pytest.approx(int(row["acts"]) / int(found[0]["acts"]))
        twice = row["strategy"] in ("base", "dWr")
        assert row["top1_error_n"] == ("2" if twice else "1")
        if twice:
            assert float(row["top1_error_std"]) == pytest.approx(0.5**0.5)
        else:
            assert not row["top1_error_std"]
    theory = [row["acts_exponent_theory"] for row in found]
    assert theory == ["0", "1", "1/2", "1", "5/6", "3/5"]
    assert float(found[-1]["acts_growth_theory"]) == pytest.approx(4**0.6)


def test_correlation_beside_the_papers(synthetic):
    table = quick_tables(synthetic())[1]
    found = {row["measure"]: row for row in rows(table)}
    # the made-up times are proportional to acts
    assert float(found["activations"]["pearson_r"]) == pytest.approx(1.0)
    assert [row["pearson_r_paper"] for row in found.values()] == ["0.81", "0.56", "0.99"]
    assert float(found["activations"]["difference"]) == pytest.approx(0.01)


def test_single_runs_are_called_single(synthetic):
    table = quick_tables(synthetic(seeds=(0,)))[0]
    assert "Every error is that of a single run." in table.notes and "deviation" not in to_markdown(
        table
    )
    assert [(row["top1_error_std"], row["top1_error_n"]) for row in rows(table)] == [("", "1")] * 6


def test_what_was_not_measured_is_blank(synthetic):
    records = [r for r in synthetic(seeds=(0,)) if not r.arch.endswith("dWr-x4")]
    found = rows(quick_tables(records)[0])
    last = found[-1]
    assert last["strategy"] == "dWr" and int(last["acts"]) > 0
    assert [
        last[key]
        for key in (
            "epoch_time_s_median",
            "epoch_wall_s_mean",
            "top1_error_mean",
            "top1_error_ema_mean",
        )
    ] == [""] * 4
    assert "Unmeasured cells are blank" in to_markdown(quick_tables(records)[0])


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        ({}, "with the validation after each epoch"),
        ({"clock": "training batches"}, "training batches alone"),
    ],
)
def test_the_note_tells_what_the_wall_clock_holds(synthetic, clock, message):
    """Older records without a clock include the validation."""
    artifact = load_artifact("quick")
    records = [replace(r, env=r.env | clock) for r in synthetic()]
    notes = comparison_table(compare(records, artifact), artifact).notes
    assert f"Epoch wall clock: {message}." in notes


def test_without_timings_the_wall_clock_is_named(synthetic):
    artifact = load_artifact("quick")
    comparison = compare(synthetic(timed=False), artifact)
    assert not comparison.timed_by_step
    assert comparison.epoch_time(comparison.networks[0])[1] == pytest.approx(0.5**0.5)
    assert [row["epoch_time_s_median"] for row in rows(comparison_table(comparison, artifact))] == [
        ""
    ] * 6
    assert correlation(comparison, "acts")[1] == 6


def test_r_needs_three_networks(synthetic):
    artifact = load_artifact("quick")
    records = [r for r in synthetic() if r.strategy in (None, "d")]
    comparison = compare(records, artifact)
    assert correlation(comparison, "acts") == (None, 2)
    assert [
        row["pearson_r"] for row in rows(correlation_table(comparison, paper_correlations()))
    ] == [""] * 3


def test_pearson():
    assert pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert pearson([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert pearson([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert pearson([1, 2], [1, 2]) is None and pearson([1, 1, 1], [1, 2, 3]) is None
    with pytest.raises(ValueError, match="do not pair"):
        pearson([1], [1, 2])


def test_a_cpu_is_no_confirmation(synthetic):
    artifact = load_artifact("quick")
    texts = []
    for env in ({}, {"device_type": "cuda", "device": "made-up accelerator"}):
        records = synthetic(**env)
        comparison = compare(records, artifact)
        texts.append(page("comparison", page=comparison_pages(records, artifact)[-1]))
        assert where(comparison).startswith("regnety-tiny and scaled x4, Fashion-MNIST, made-up ")
    assert "memory-bound accelerators" in texts[0] and "neither confirm nor refute" in texts[0]
    assert "neither confirm nor refute" not in texts[1]


def test_threads_of_training_and_timing_are_told_apart(synthetic):
    records = [r for r in synthetic(threads=1) if r.kind == "train"] + [
        r for r in synthetic(threads=2) if r.kind == "time"
    ]
    table = quick_tables(records)[0]
    assert table.title.endswith("made-up processor")
    assert "3 epochs, 1 thread per run." in table.notes[-1]
    assert any("over repeats, 2 threads." in note for note in table.notes)
    assert quick_tables(records)[1].title.endswith("made-up processor, 2 threads")
    comparison = compare(records, load_artifact("quick"))
    assert where(comparison, "train").endswith("made-up processor, 1 thread")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, synthetic_records):
    """A folder with everything that made-up records give."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_quick(synthetic_records(), folder)
    return folder


def test_same_records_same_bytes_in_any_order(synthetic, drawn, tmp_path):
    two = draw_quick(synthetic()[::-1], tmp_path)
    one = [drawn / path.relative_to(tmp_path) for path in two]
    assert [p.name for p in one] == [p.name for p in two] and len(one) == 17
    for a, b in zip(one, two, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name
    assert {p.stem for p in one} >= set(FIGURES)
    for name in FIGURES:  # no date and no program name
        assert set(png_chunks((drawn / "quick" / f"{name}.png").read_bytes())) == {
            b"IHDR",
            b"pHYs",
            b"IDAT",
            b"IEND",
        }
        svg = (drawn / "quick" / f"{name}.svg").read_text()
        assert "dc:date" not in svg and "dc:creator" not in svg


def test_same_bytes_from_another_process_with_other_settings(synthetic, drawn, tmp_path):
    from fastscale.records import write_snapshot

    snapshot = write_snapshot(tmp_path / "made-up.jsonl", synthetic())
    here = [path for path in (drawn / "quick").iterdir() if path.is_file()]
    code = (
        "import sys, pathlib, matplotlib; matplotlib.rcParams['font.size'] = 30\n"
        "matplotlib.rcParams['axes.facecolor'] = 'red'\n"
        "from fastscale.paper.quick import comparison_pages\n"
        "from fastscale.records import read_records\n"
        "from fastscale.paper.build import load_artifact, write_pages\n"
        "quick = load_artifact('quick')\n"
        "pages = comparison_pages(read_records(sys.argv[1]), quick)\n"
        "write_pages(quick, pages, pathlib.Path(sys.argv[2])); assert 'torch' not in sys.modules\n"
        "assert matplotlib.rcParams['font.size'] == 30"
    )
    subprocess.run([sys.executable, "-c", code, str(snapshot), str(tmp_path / "there")], check=True)
    for path in here:
        assert path.read_bytes() == (tmp_path / "there" / "quick" / path.name).read_bytes(), (
            path.name
        )


def test_an_output_that_cannot_be_made_is_not_left_over(synthetic, drawn, tmp_path):
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    assert (tmp_path / "quick" / "error-vs-flops.svg").exists()
    draw_quick([r for r in synthetic() if r.kind == "time"], tmp_path)
    assert (
        not (tmp_path / "quick" / "error-vs-flops.svg").exists()
        and not (tmp_path / "quick" / "error-vs-flops.png").exists()
    )
    assert (tmp_path / "quick" / "epoch-time-vs-acts.svg").exists()
    assert "error-vs-flops" not in (tmp_path / "quick" / "summary.md").read_text()


def test_terminal_table_fits(synthetic):
    table, correlations = quick_tables(synthetic())
    body = render_terminal(table).splitlines()[2:]
    assert max(map(len, body)) <= 120
    assert max(map(len, render_terminal(correlations).splitlines()[2:])) <= 120


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data_hash": "another"}, "different conditions.*another"),
        ({"recipe_hash": "another"}, "different conditions.*another"),
        ({"epochs": 9}, "different conditions.*9"),
        ({"env": {"device": "another", "date": "2020"}}, "another"),
        ({"acts": 1}, "counts are not the network's"),
    ],
)
def test_records_that_do_not_belong_together_are_refused(
    synthetic, changed, tmp_path, fields, message
):
    records = changed(
        synthetic(), lambda r: r.kind == "train" and r.strategy == "d" and r.seed == 0, **fields
    )
    with pytest.raises(InputError, match=message):
        draw_quick(records, tmp_path)


def test_no_records_at_all(tmp_path):
    with pytest.raises(InputError, match="no record belongs to 'quick'"):
        draw_quick([], tmp_path)


def test_selection_takes_the_planned_runs_under_the_newest_conditions(synthetic, changed):
    artifact = load_artifact("quick")
    old = changed(
        synthetic(date="2019-01-01T00:00:00Z"),
        lambda r: r.kind == "train",
        recipe_hash="older recipe",
    )
    other = changed(synthetic(), lambda r: True, data="other-data")
    new = synthetic()
    chosen = select([*old, *other, *new], artifact)
    assert chosen == [r for r in new if r.kind == "train"] + [r for r in new if r.kind == "time"]


def test_selection_keeps_the_last_of_a_run(synthetic, changed):
    artifact = load_artifact("quick")
    records = synthetic(seeds=(0,))
    again = changed(records, lambda r: r.kind == "train", values={"top1_error": 1.0})
    chosen = select(records + again, artifact)
    assert {r.values["top1_error"] for r in chosen if r.kind == "train"} == {1.0} and len(
        chosen
    ) == 12


def test_selection_leaves_out_times_of_another_device(synthetic):
    artifact = load_artifact("quick")
    trained = synthetic(timed=False)
    elsewhere = [
        r for r in synthetic(device="another", date="2022-01-01T00:00:00Z") if r.kind == "time"
    ]
    assert select(trained + elsewhere, artifact) == trained


def test_unknown_tier(synthetic):
    with pytest.raises(InputError, match="no runs in tier 'full'; tiers with runs: quick"):
        select(synthetic(), load_artifact("quick"), "full")
