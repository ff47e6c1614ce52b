"""The table of our times over other projects', made from records: one row per comparison."""

from dataclasses import replace

from fastscale.paper.tables.parity import parity_table
from fastscale.paper.tables.table import to_csv
from fastscale.records import Record, network_fields
from fastscale.scaling import arch_named


def comparison(arch="resnet-50", setting="equal", device="made-up", **values):
    env = {
        "device": device,
        "date": "2020-01-01T00:00:00Z",
        "setting": setting,
        "their_layout": "auto",
        "layout": "channels_last",
    }
    env |= {
        "against": "timm 1.0",
        "same_params": arch != "regnetz-500mf",
        "batch": 8,
        "precision": "32-true",
    }
    env["their_layout"] = "auto" if setting == "equal" else "contiguous"
    found = {
        "ours_step_time_s": 1.0,
        "theirs_step_time_s": 2.0,
        "step_time_ratio": 0.5,
        "step_time_ratio_spread": 0.01,
    }
    found |= {name.replace("step", "inference"): value for name, value in found.items()}
    return Record(
        kind="time",
        run=f"{arch}.timm-{setting}",
        **network_fields(arch_named(arch), 1000),
        values=found | values,
        env=env,
    )


def test_rows_in_order_and_only_of_comparisons():
    other = replace(comparison(), run="resnet-50.time", values={"step_time_s": 1.0})
    table = parity_table(
        [
            comparison(setting="equal"),
            other,
            comparison(setting="defaults"),
            comparison("regnetz-500mf", step_time_ratio=1.2),
        ]
    )
    shown = table.shown()
    assert [row[:3] for row in shown] == [
        ["regnetz-500mf", "timm 1.0", "equal"],
        ["resnet-50", "timm 1.0", "defaults"],
        ["resnet-50", "timm 1.0", "equal"],
    ]
    assert shown[0][3] == "1.20 ± 0.01" and [row[5] for row in shown] == ["no", "yes", "yes"]
    assert (
        shown[1][8] == "channels_last / contiguous"
        and shown[2][8] == "channels_last / channels_last"
    )
    assert "step_time_ratio_median,step_time_ratio_spread" in to_csv(table)


def test_without_comparisons_it_is_empty():
    assert parity_table([]).rows == []
