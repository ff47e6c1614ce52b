"""The page as a file: same bytes, nothing fetched, no text breaks out; and its command."""

import json
import re
from dataclasses import replace

import pytest

from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.report import report_page, write_report
from fastscale.paper.report.page import VIEWS
from fastscale.paper.smoke import smoke
from fastscale.records import RecordStore


def data_of(page, name="data"):
    """The JSON that the page's script reads; as in a browser, it ends at the first `</script`."""
    element = rf'<script type="application/json" id="{name}">(.*?)</script'
    return json.loads(re.search(element, page, re.DOTALL)[1])


def facts_of(page):
    """The records and references that the page reads when one is opened."""
    return data_of(page, "facts")


def test_the_command_shows_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    assert "fastscale report" in capsys.readouterr().out.split("example:")[1]


@pytest.fixture(scope="module")
def page():
    return report_page()


def test_same_inputs_same_bytes(page):
    assert report_page() == page
    assert (home().root / "paper_figures" / "report.html").read_bytes() == page.encode()
    assert len(page.encode()) < 3_000_000


def test_nothing_is_fetched(page):
    assert "default-src 'none'" in page
    assert not re.search(
        r"<(link|img|iframe|object|embed|base)\b|\bsrc=|@import|url\(|\bfetch\(|XMLHttpRequest"
        r"|unsafe-inline",
        page,
    )


def test_every_point_leads_to_its_record_or_row(page):
    data, facts = data_of(page), facts_of(page)
    members = data["columns"].index("members")
    assert len(data["points"]) > 2500
    for point in data["points"]:
        for anchor in point[members]:
            file, _, line = anchor.rpartition("-")
            if file == "record":
                assert f"record-{line}" in facts["records"]
            else:
                columns = facts["references"][file].values()
                assert all(
                    0 <= int(line) - 2 < len(column.get("rows", column["texts"]))
                    for column in columns
                )


def test_every_marker_can_be_drawn_and_no_two_names_look_alike(page):
    shapes = re.search(r"const SHAPES = \{(.*?)\};", page, re.DOTALL)[1]
    drawable = set(re.findall(r"""^\s*"?([^\s":]+)"?: "M""", shapes, re.MULTILINE))
    for styles in data_of(page)["looks"].values():
        assert {style["marker"] for style in styles} <= drawable
        assert len({style["marker"] for style in styles}) == len(styles)  # not by colour alone


def test_no_name_breaks_out_of_the_page(checkout_copy, synthetic):
    nasty = "</script><script>alert(1)</script><!-- @@SCRIPT@@ \u2028 &amp; é"
    scripts = report_page().count("<script")
    root = checkout_copy()
    record = replace(synthetic(timed=False)[0], run=nasty, arch=nasty, data=nasty)
    RecordStore(root / "paper_figures" / "records" / "bad.jsonl").append(record)
    page = report_page()
    assert facts_of(page)["records"][f"record-{record.id}"]["run"] == nasty
    assert page.count("<script") == scripts and "alert(1)</script>" not in page
    assert page.count("function refresh") == 1


def test_the_smoke_tier_compares_it(small_copy):
    root = small_copy()
    path = write_report()
    assert path == root / "paper_figures" / "report.html"
    path.write_text(path.read_text().replace('"EN-B0"', '"EN-B9"', 1))
    (found,) = [line for line in smoke() if line.startswith("report.html")]
    assert "line " in found and "EN-B9" in found


def test_the_views_name_what_there_is(page):
    data = data_of(page)
    assert [label for label, _ in data["views"]] == [label for label, _ in VIEWS]
    for _, pairs in data["views"]:
        for name, value in pairs:
            if name in data["texts"]:
                assert value in data["texts"][name]


def test_the_command_writes_a_local_page_beside_the_runs(capsys, tmp_path, synthetic):
    before = (home().root / "paper_figures" / "report.html").read_bytes()
    record = synthetic(timed=False)[0]
    RecordStore(tmp_path / "records.jsonl").append(record)
    assert main(["report", "--runs_dir", str(tmp_path)]) == 0
    assert f"{tmp_path / 'report.html'} (" in capsys.readouterr().out
    assert f"record-{record.id}" in facts_of((tmp_path / "report.html").read_text())["records"]
    label, pairs = data_of((tmp_path / "report.html").read_text())["views"][0]
    assert label == "Your runs" and ["y", "error"] in pairs and pairs[-1][0] == "at"
    assert main(["report", "--out", str(tmp_path / "deep" / "it.html")]) == 0
    assert (
        (tmp_path / "deep" / "it.html").read_bytes()
        == before
        == (home().root / "paper_figures" / "report.html").read_bytes()
    )
    assert main(["report", "--runs_dir", str(tmp_path / "absent")]) == 2
    assert "no such folder of runs" in capsys.readouterr().err


def test_a_bad_record_is_named_by_file_line_and_field(checkout_copy):
    root = checkout_copy()
    path = root / "paper_figures" / "records" / "bad.jsonl"
    path.parent.mkdir()
    path.write_text('{"schema": 1, "kind": "train"}\n')
    with pytest.raises(InputError, match=r"bad.jsonl, line 1: missing field 'acts'"):
        report_page()
