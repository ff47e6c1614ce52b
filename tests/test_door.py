"""Files for contributors and packagers agree on versions, supported Pythons, rooms and paths."""

import re
import tomllib
from pathlib import Path

import yaml

import fastscale
from tests.test_rooms import LEVEL

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_version_stands_in_one_place():
    assert "version" not in PROJECT and PROJECT["dynamic"] == ["version"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## ([\d.]+)", text, re.MULTILINE)[0] == fastscale.__version__


def test_supported_pythons_are_the_same_everywhere():
    said = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert said[0] == PROJECT["requires-python"].removeprefix(">=")
    span = f"{said[0]} to {said[-1]}"
    assert span in (ROOT / "scripts/setup.sh").read_text() and span in CONTRIBUTING
    for name, job in (("tests", "fast"), ("nightly", "everything")):
        text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
        assert yaml.safe_load(text)["jobs"][job]["strategy"]["matrix"]["python"] == said


def test_contributors_see_every_room_in_its_order():
    rows = re.findall(
        r"^\| (`[^|]+`) \|", CONTRIBUTING[: CONTRIBUTING.index("## Where")], re.MULTILINE
    )
    named = [room for row in rows for room in re.findall(r"`(\w+)`", row)]
    assert set(named) == {room for room in LEVEL if not room.startswith("__")}
    levels = [LEVEL[room] for room in named]
    assert [r for r in levels if r > LEVEL["typed"]] == sorted(levels)[-len(levels) + 5 :]


def test_paths_in_contributing_exist():
    paths = re.findall(
        r"`((?:fastscale|scripts|configs|tests|paper_figures)/[\w./-]*)`", CONTRIBUTING
    )
    paths += re.findall(r"(?:bash|python) (scripts/[\w.-]+)", CONTRIBUTING)
    assert len(paths) > 10
    assert [
        p for p in paths if not re.search(r"NAME|ARTIFACT", p) and not (ROOT / p).exists()
    ] == []
