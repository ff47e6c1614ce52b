"""Links and pictures in the committed Markdown exist; the smoke tier lists those that do not."""

import importlib

import pytest

from fastscale.home import home
from fastscale.paper.links import broken_links


def test_every_committed_link_leads_somewhere():
    assert broken_links(home().root) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("![a picture](figures/gone.png)", "figures/gone.png does not exist"),
        ("[a table](gone.md)", "gone.md does not exist"),
        ('<a href="gone.md"><img src="here.png" width="1"></a>', "gone.md does not exist"),
        ('<img width="1" src="gone.png">', "gone.png does not exist"),
        ("[one][two]\n\n[two]: ../gone.csv", "../gone.csv does not exist"),
        ("[part](here.md#no-such-part)", "here.md#no-such-part names no heading"),
        ("[part](#no-such-part)", "#no-such-part names no heading"),
        ("[![inner](gone.png)](here.md)", "gone.png does not exist"),
    ],
)
def test_a_broken_link_is_one_line(tmp_path, text, message):
    folder = tmp_path / "paper_figures"
    folder.mkdir()
    (folder / "here.md").write_text("# Some heading\n")
    (folder / "here.png").write_bytes(b"")
    (folder / "README.md").write_text(f"# Title\n\n{text}\n")
    (found,) = broken_links(tmp_path)
    assert found.startswith("paper_figures/README.md, line ") and found.endswith(message)


def test_what_is_no_broken_link(tmp_path):
    text = (
        "# My Title, (really)\n[a](here%20it.md) [b](#my-title-really) [c](https://example.org/x)"
        " [d](mailto:a@b.c)\n`[e](gone.md)`\n```\n[f](gone.md)\n```\n[g](here%20it.md#two-words)\n"
    )
    (tmp_path / "README.md").write_text(text)
    (tmp_path / "here it.md").write_text("## Two `words`\n")
    assert broken_links(tmp_path) == []


def test_the_smoke_tier_looks_at_links(monkeypatch):
    module = importlib.import_module("fastscale.paper.smoke")
    for name in ("produce", "count_differences"):
        monkeypatch.setattr(module, name, lambda *given, **named: [])
    monkeypatch.setattr(module, "broken_links", lambda root, reported: ["README.md, line 1: x"])
    assert "README.md, line 1: x" in module.smoke()
