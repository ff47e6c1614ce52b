"""Published counts: how many agree; a disagreement is shown."""

from decimal import Decimal

import pytest

from fastscale.counts import complexity
from fastscale.paper.artifacts import load_artifact
from fastscale.paper.tables.published import (
    digitised_counts,
    network_counts,
    published_counts,
    zoo_counts,
)
from fastscale.paper.views import views
from fastscale.references import reference
from fastscale.references.networks import point_arch, zoo_name


def column(table, key):
    return [row[[c.key for c in table.columns].index(key)] for row in table.rows]


def test_networks_of_1_to_32_gf():
    table = published_counts()
    assert len(table.rows) == 13
    for key in ("params_m_difference", "acts_m_difference"):
        assert not any(column(table, key)), key
    off = {
        row[0]: row
        for row in table.rows
        if row[[c.key for c in table.columns].index("flops_multiply_adds_b_difference")]
    }
    assert list(off) == ["RegNetZ 16GF"], "Xiao et al. print 16.0, the MViT paper prints 15.9"
    assert column(table, "resolution") == column(table, "resolution_published")
    assert table.notes[0].startswith("12 of 13 networks agree")


def test_unpublished_counts_stay_blank():
    table = published_counts()
    rows = [row for row in table.rows if row[1].startswith("MViT")]
    index = [c.key for c in table.columns].index("acts_m_published")
    assert len(rows) == 2 and all(row[index] is None and row[index + 2] is None for row in rows)


def test_zoo_is_exact():
    table = zoo_counts()
    assert len(table.rows) == 36
    for key in ("flops_multiply_adds_difference", "params_difference", "acts_difference"):
        assert column(table, key) == [0] * 36


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("RegNetX-400MF", "regnetx-400mf.dds"),
        ("RegNetX-1.6GF", "regnetx-1.6gf.dds"),
        ("RegNetY-4.0GF", "regnety-4gf.dds"),
        ("ResNet-50", "resnet-50"),
        ("ResNeXt-50", "resnext-50"),
        ("EfficientNet-B0", "efficientnet-b0"),
    ],
)
def test_zoo_names(model, name):
    assert zoo_name(model) == name


def test_points_of_the_figures_are_identified():
    """Params and acts, computed from the definition, agree; digitised flops are within 0.5 %."""
    rows = [row for row in reference("paper_points") if "counts computed" in row["how"]]
    assert len(rows) == len(digitised_counts().rows) == 97
    for row in rows:
        arch = point_arch(row)
        ours = complexity(arch)
        assert arch.resolution == int(row["resolution"]), row
        for key, own in (("params_m", ours.params), ("acts_m", ours.acts)):
            unit = Decimal(1).scaleb(Decimal(row[key]).as_tuple().exponent)
            assert abs(Decimal(own).scaleb(-6) - Decimal(row[key])) <= unit, row
        assert ours.flops / 1e9 == pytest.approx(float(row["flops_b"]), rel=0.005), row


def test_computed_counts_are_not_called_published():
    table = digitised_counts()
    assert not any("published" in c.key or "paper" in c.header for c in table.columns)
    assert (
        not any("agree" in note for note in table.notes)
        and "flops of 27 networks, within 0.4 %" in table.notes[0]
    )
    figure = next(view for view in views(load_artifact("fig-1"), []) if view.name == "fig-1")
    assert (
        figure.published_values("error")
        and not figure.published_values("acts")
        and not figure.published_values("params")
    )
    assert figure.our_values("acts")


def test_a_changed_reference_is_a_difference(checkout_copy):
    root = checkout_copy()
    file = root / "paper_figures" / "reference" / "pycls_zoo.csv"
    file.write_text(file.read_text().replace("4089185256", "4089185255"))
    table = zoo_counts()
    assert sum(map(bool, column(table, "flops_multiply_adds_difference"))) == 1
    assert table.notes[0].startswith("35 of 36")


def test_every_named_network_is_counted():
    table = network_counts()
    names = column(table, "arch")
    assert len(names) == len(set(names)) >= 40 and "regnety-tiny" in names
