"""The plans of `fastscale reproduce` and `fastscale list runs`: runs, states and costs."""

from dataclasses import replace

import pytest

from fastscale.archs.names import RunName
from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.paper import list_artifacts, load_artifact
from fastscale.records import RecordStore, write_snapshot
from fastscale.reproduce import cost
from fastscale.reproduce.cost import UNKNOWN, Cost
from fastscale.reproduce.listing import listed_runs
from fastscale.reproduce.plan import needed, read_sources


def test_runs_of_several_artifacts_are_planned_once(small_artifact, tmp_path):
    one = small_artifact("one", (None, "wg", "dWr"), seeds=(0, 1))
    other = small_artifact("other", ("dWr", "d"), seeds=(0,))
    runs = needed([one, other], "quick", tmp_path)
    assert [(r.spec.arch, r.spec.seed) for r in runs[:3]] == [
        ("regnety-tiny", 0),
        ("regnety-tiny.wg-x2", 0),
        ("regnety-tiny.dWr-x2", 0),
    ]
    assert len(runs) == 7 and runs[1].work > runs[0].work > 0
    assert runs[2].artifacts == ["one", "other"] and runs[-1].spec.arch == "regnety-tiny.d-x2"


def test_data_other_than_the_recipes_has_a_separate_folder(small_artifact, tmp_path):
    """Two artifacts may train a network by the same recipe, thus name, on different images."""
    own, other = (
        small_artifact("own", (None,), data="fashion-mnist"),
        small_artifact("other", (None,), data="folder:/some where"),
    )
    runs = needed([own, other], "quick", tmp_path)
    folders = [run.folder.path.relative_to(tmp_path).as_posix() for run in runs]
    assert folders == ["regnety-tiny.quick/seed0", "on-folder--some-where/regnety-tiny.quick/seed0"]


def test_a_data_set_may_be_elsewhere(small_artifact, tmp_path):
    """Name, folder and record of the run do not change; `fit` and the check get the place."""
    (tmp_path / "mine").mkdir()
    artifact = small_artifact("one", (None,), data="cifar10", recipe="cifar10-2ep")
    sources = read_sources([f"cifar10:{tmp_path}/mine"], artifact.plan("quick").runs())
    (run,) = needed([artifact], "quick", tmp_path, sources=sources)
    words = run.arguments()
    assert words[words.index("--data.source") + 1] == f"cifar10:{tmp_path}/mine" == run.images
    assert (
        run.spec.data == "cifar10"
        and run.folder.path == tmp_path / "regnety-tiny.cifar10-2ep" / "seed0"
    )
    (plain,) = needed([artifact], "quick", tmp_path)
    assert plain.images == "cifar10"


def test_dry_run_changes_nothing(tmp_path, capsys, data_home):
    assert main(["reproduce", "quick", "--dry-run", "--runs_dir", str(tmp_path / "runs")]) == 0
    out = capsys.readouterr().out
    assert "8 runs: 0 finished in" in out and "8 to make" in out and out.count(", seed 0") == 6
    assert "of training as published, on" in out
    main(["reproduce", "quick", "--dry-run", "--jobs", "4", "--runs_dir", str(tmp_path / "runs")])
    assert "  4 side by side: done after 2" in capsys.readouterr().out
    main(["reproduce", "quick", "--dry-run", "--jobs", "1", "--runs_dir", str(tmp_path / "runs")])
    assert "side by side" not in capsys.readouterr().out
    assert not (tmp_path / "runs").exists() and not data_home.exists()


def test_the_full_tier_without_imagenet_starts_nothing(small_artifact, data_home, tmp_path, capsys):
    small_artifact("large", (None, "wg"), tier="full", recipe="imagenet-100ep")
    command = ["reproduce", "large", "--tier", "full", "--runs_dir", str(tmp_path / "runs")]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert (
        err.count("\n") == 1
        and "2 of the runs train on imagenet, which is not here" in err
        and "train/<class>" in err
    )
    assert "2 to make" in out and not (tmp_path / "runs").exists()
    assert main([*command, "--dry-run"]) == 0
    assert "to be provided: 2 of the runs train on imagenet" in capsys.readouterr().out


def test_published_runs_of_the_full_tier_are_not_made_again(
    small_artifact, data_home, tmp_path, no_law
):
    """Those of the quick tier are."""
    (record, *_) = (
        r for r in RecordStore(load_artifact_records()).read() if r.run == "regnety-tiny.quick"
    )
    for tier, missing in (("full", False), ("quick", True)):
        artifact = small_artifact(
            "one", (None,), tier=tier, data="fashion-mnist", seeds=(record.seed,)
        )
        write_snapshot(tmp_path / "one.jsonl", [record])
        (run,) = needed([artifact], tier, tmp_path)
        assert run.missing is missing and run.published == record
        assert (
            run.cost.seconds == record.values["epoch_time_s"] and "as published" in run.cost.source
        )


def load_artifact_records():
    from fastscale.paper import snapshot

    return snapshot("quick")


@pytest.fixture
def no_law(monkeypatch):
    def predicted_seconds(*arguments):
        raise InputError("no law of abacus")

    monkeypatch.setattr(cost, "predicted_seconds", predicted_seconds)


def test_an_unknown_cost_is_reported(small_artifact, data_home, tmp_path, capsys, no_law):
    small_artifact("large", (None,), tier="full", recipe="imagenet-100ep")
    command = ["reproduce", "large", "--tier", "full", "--dry-run", "--runs_dir", str(tmp_path)]
    assert main(command) == 0
    assert f"time of 1 of them: {UNKNOWN}" in capsys.readouterr().out


def test_a_device_named_must_be_known(small_artifact, data_home, tmp_path, capsys, no_law):
    small_artifact("large", (None,), tier="full", recipe="imagenet-100ep")
    assert (
        main(
            [
                "reproduce",
                "large",
                "--tier",
                "full",
                "--dry-run",
                "--runs_dir",
                str(tmp_path),
                "--device",
                "abacus",
            ]
        )
        == 2
    )
    assert "no device is named 'abacus'" in capsys.readouterr().err


def test_costs_are_summed(small_artifact, data_home, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cost, "predicted_seconds", lambda *a: 3600.0)
    monkeypatch.setattr(cost, "predicted_memory", lambda *a: 2048.0)
    small_artifact("large", (None, "wg"), tier="full", recipe="imagenet-100ep")
    assert (
        main(
            [
                "reproduce",
                "large",
                "--tier",
                "full",
                "--dry-run",
                "--runs_dir",
                str(tmp_path),
                "--device",
                "v100",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "in all 2 h of training predicted for v100" in out and out.count("2.00 GiB") == 2


def test_an_unknown_cost_says_so():
    assert Cost().source == UNKNOWN


def test_list_runs_has_the_names_for_fit(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTSCALE_RUNS", str(tmp_path))
    runs = listed_runs()
    assert len({r.run for r in runs}) == len(runs) and all(
        RunName.parse(r.run).network.name == r.arch for r in runs
    )
    (known,) = (r for r in runs if r.run == "regnety-4gf.dWr-x4.imagenet-100ep")
    assert known.published_error == 17.1 and known.data == "imagenet"
    planned = {
        s.run
        for name in list_artifacts()
        if (plan := load_artifact(name).plan("full"))
        for s in plan.runs()
    }
    assert planned <= {r.run for r in runs}
    figures = {r.run: (r.published_error, r.figure) for r in runs if r.figure}
    assert (
        figures["efficientnet-b0.dWr-x11.imagenet-100ep"] == (17.61, "Fig. 6")
        and known.figure == ""
    )
    assert figures["efficientnet-b0.r-x5.02.imagenet-100ep"][1] == "Fig. 4"
    assert main(["list", "runs", "regnety-4gf.dWr"]) == 0
    out = capsys.readouterr().out
    assert "15,459,535,460" in out and "regnetz" not in out and "predicted for h100" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["list", "runs", "resnet-9000"], "none of the runs has 'resnet-9000'"),
        (["list", "runs", "a", "b"], "unrecognised: b"),
        (
            ["list", "regnetq-4gf"],
            "no base network has 'regnetq-4gf' in its name; did you mean 'regnet",
        ),
        (["list", "runs", "--devices", "0"], "--devices: wanted a whole number from 1"),
        (["reproduce", "quick", "--jobs", "-1"], "--jobs: wanted a whole number from 1"),
        (["reproduce", "qick"], "did you mean 'quick'?"),
        (
            ["reproduce", "quick", "--gpus-per-run", "0"],
            "--gpus-per-run must be at least 1 without --cluster",
        ),
        (["reproduce", "quick", "--gpus-per-run", "64"], "--gpus-per-run 64: this machine has"),
        (["reproduce", "quick", "--budget", "0"], "--budget: wanted a number from"),
        (
            ["reproduce", "quick", "--budget", "9", "--cluster", "slurm"],
            "for a cluster give --time",
        ),
        (
            ["reproduce", "quick", "--data", "imagenet"],
            "--data imagenet is imagenet; these runs train on fashion-mnist",
        ),
    ],
)
def test_unusable(argv, message, capsys, data_home):
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_a_run_is_finished_by_its_record(small_artifact, tmp_path):
    (record, *_) = RecordStore(load_artifact_records()).read()
    (run,) = needed([small_artifact("one", (None,))], "quick", tmp_path)
    run.folder.path.mkdir(parents=True)
    run.folder.finish(replace(record, run=run.spec.run))
    assert not run.missing and run.own is not None
