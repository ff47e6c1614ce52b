"""A new figure of a known kind is one YAML file; of a new kind one module and one YAML file."""

import pytest
import yaml

from fastscale.errors import InputError
from fastscale.paper import list_artifacts, load_artifact
from fastscale.paper.artifacts import DRAWINGS, Drawing, drawing
from fastscale.paper.build import produce
from fastscale.paper.chart import Chart, Mark, Page, Picture
from fastscale.paper.claims import MEASURES, Measure, Ours, measure
from fastscale.paper.declare import Network, Some
from fastscale.paper.style import strategy_style
from fastscale.paper.tables.table import Column, Table
from fastscale.paper.verdicts import HOLDS, verdicts
from fastscale.records.committed import counts

KNOWN = {
    "name": "mine",
    "title": "Mine: acts of two families",
    "kind": "figure",
    "shows": "It.",
    "outputs": ["figures/mine"],
    "order": 5,
    "drawing": {
        "by": "panels",
        "points": ["fig4"],
        "look": "strategy",
        "columns": 1,
        "panels": [{"y": "error", "x": "flops"}],
    },
}


@pytest.fixture
def declare(small_copy):
    """The function that writes a declaration into a copy of the checkout, the home of the test."""
    root = small_copy()

    def write(content):
        path = root / "configs" / "artifacts" / f"{content['name']}.yaml"
        path.write_text(yaml.safe_dump(content))
        return root / "paper_figures"

    return write


def test_a_new_figure_of_a_known_kind_is_one_yaml(declare):
    made = declare(KNOWN)
    assert "mine" in list_artifacts()
    produce(made)
    assert {p.suffix for p in (made / "figures").glob("mine.*")} == {
        ".svg",
        ".png",
        ".md",
        ".csv",
        ".tex",
    }
    assert "efficientnet-b0.w-x11" in (made / "figures" / "mine.csv").read_text()
    index = (made / "README.md").read_text()
    assert "figures/mine.png" in index
    assert index.index("### Mine") < index.index("### Fig. 6")  # its `order` says so


@pytest.fixture
def bars():
    """A drawing and a measure as a new module registers them; removed after the test."""

    class Bars(Drawing):
        networks: Some[Network]

    @drawing("bars", spec=Bars)
    def draw_bars(artifact, spec, records):
        acts = [counts(name)[0].acts for name in spec.networks]
        marks = [Mark(strategy_style(None), i, a / 1e6, ours=True) for i, a in enumerate(acts)]
        columns = [Column("network", "network", right=False), Column("acts", "acts")]
        table = Table(
            artifact.name, artifact.title, columns, list(zip(spec.networks, acts, strict=True))
        )
        picture = Picture(artifact.title, [], [Chart("network", "acts, M", marks)])
        pictures = {artifact.name: picture}
        return [Page(artifact.name, artifact.title, "It.", pictures=pictures, tables=[table])]

    @measure("most_acts")
    class MostActs(Measure):
        most_acts: Network

        def ours(self, evidence):
            yield Ours(counts(self.most_acts)[0].acts, 1, "counted")

    yield
    del DRAWINGS._kinds["bars"], MEASURES._kinds["most_acts"]


NEW = KNOWN | {
    "drawing": {"by": "bars", "networks": ["regnety-4gf", "regnetz-4gf"]},
    "claims": [
        {
            "id": "mine-acts",
            "claim": "RegNetY-4GF has so many acts",
            "paper": counts("regnety-4gf")[0].acts,
            "side": "at most",
            "tolerance": 0,
            "computed": "acts of regnety-4gf",
            "measure": {"most_acts": "regnety-4gf"},
        }
    ],
}


def test_a_new_kind_is_one_module_and_one_yaml(declare, bars):
    made = declare(NEW)
    produce(made, ["mine"])
    assert (made / "figures" / "mine.csv").read_text() == (
        f"network,acts\nregnety-4gf,{counts('regnety-4gf')[0].acts}\n"
        f"regnetz-4gf,{counts('regnetz-4gf')[0].acts}\n"
    )
    assert "![Mine" in (made / "figures" / "mine.md").read_text()
    (own,) = [v for v in verdicts([]) if v.claim.id == "mine-acts"]
    assert own.verdict == HOLDS and own.ours.value == counts("regnety-4gf")[0].acts


def test_its_options_are_checked_like_any_others(declare, bars):
    declare(NEW | {"drawing": {"by": "bars", "netwroks": ["regnety-4gf"]}})
    with pytest.raises(
        InputError, match=r"mine.yaml: drawing: unknown key 'netwroks'; did you mean 'networks'"
    ):
        load_artifact("mine")
    declare(NEW | {"drawing": {"by": "bar", "networks": ["regnety-4gf"]}})
    with pytest.raises(InputError, match=r"by must be one of .*; did you mean 'bars'"):
        load_artifact("mine")
