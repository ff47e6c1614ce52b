"""Names and settings of `fit` are checked before images are read or written, and said in words."""

import pytest

from fastscale.cli import main
from fastscale.data import first_write
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.training.parser_words import in_words
from fastscale.training.recipe import Recipe

TINY = "regnety-tiny.quick"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["regnety-tin.quick"], "did you mean 'regnety-tiny'"),
        (["regnety-tiny.quik"], "no recipe is named 'quik'; did you mean 'quick'?"),
        (["regnety-tiny", "--weights", "nosuch"], "no checkpoint is named 'nosuch'"),
        (["regnety-tiny", "--weights", "regnety-16px-small.dWr-x4.1_cifar10"], "whose body is not"),
        ([TINY, "--data.loader", "plian"], "plian"),
        ([TINY, "--trainer.accelerator", "abacus"], "auto, cpu, or one that this machine has"),
        ([TINY, "--trainer.devices", "x"], "--trainer.devices must be a number from 1"),
        ([TINY, "--model.recipe.epoch", "3"], "--model.recipe.epoch; did you mean '--model.recipe"),
        ([TINY, "--model.recipe.epochs", "two"], "epochs: wanted a whole number, got 'two'\n"),
        ([TINY, "--model.recipe.epochs=0.5"], "epochs: wanted a whole number, got '0.5'\n"),
        ([TINY, "--model.recipe.flip", "maybe"], "flip: wanted true or false, got 'maybe'\n"),
        ([TINY, "--trainer.precision", "7"], "precision: wanted 64, 32, 16, transformer-engine, "),
        ([TINY, "--trainer.logger", "X"], "--trainer.logger: wanted a Logger or true or false"),
        ([TINY, "--model.recipe", "no"], "--model.recipe: wanted a YAML file of settings, got"),
        ([TINY, "--config", "no.yaml"], "--config: file does not exist: '/"),
        (
            [TINY, "--epochs", "3"],
            "unrecognised: --epochs; did you mean '--model.recipe.epochs'?\n",
        ),
        ([TINY, "--lr=3"], "unrecognised: --lr; did you mean '--model.recipe.lr'?\n"),
        ([TINY, "--run-dir", "x"], "--run-dir; did you mean '--runs-dir'"),
        ([TINY, "--optimizer", "SGD"], "--optimizer follows from the recipe's --model.recipe.lr"),
        ([TINY, "--optimizer.lr", "3"], "--optimizer.lr follows from the recipe's"),
        ([TINY, "stray"], "unrecognised: stray\n"),
        (
            ["regnety-tiny.imagenet-100ep", "--model.recipe.epochs", "2"],
            "recipe 'imagenet-100ep': warmup_epochs must be from 0 to its 2 epochs (set both), got",
        ),
    ],
)
def test_before_images_are_read(
    words, said, image_folder, data_home, tmp_path, monkeypatch, capsys
):
    def write(*more, **options):
        raise AssertionError("images were written")

    monkeypatch.setattr(first_write, "write", write)
    monkeypatch.setattr(first_write, "have_ffcv", lambda: True)
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *words, "--data.source", f"folder:{image_folder}"]) == 2
    out, err = capsys.readouterr()
    assert said in err and err.startswith("error: ") and err.count("\n") == 1
    assert "writing it" not in out + err and not (tmp_path / "runs").exists()


def test_weights_in_a_file_are_not_read_as_settings(image_folder, data_home, capsys):
    """A released file's network is recognised, and a file that was cut short is refused."""
    (file,) = home().checkpoints.glob("regnety-tiny.dWr-x4_*.safetensors")
    data = ["--data.source", f"folder:{image_folder}"]
    assert main(["fit", TINY, "--weights", str(file), *data]) == 2
    assert "of regnety-tiny.dWr-x4, whose body is not" in capsys.readouterr().err
    cut = data_home.parent / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:-9])
    assert main(["fit", TINY, "--weights", str(cut), *data]) == 2
    assert f"{cut}: cut short; fetch or write it again" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_a_folder_without_images_is_not_announced(name, data_home, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(first_write, "have_ffcv", lambda: True)
    (tmp_path / "empty" / "a").mkdir(parents=True)
    assert main(["fit", "regnety-tiny", "--data.source", f"folder:{tmp_path / name}"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and str(tmp_path / name) in err and err.count("\n") == 1


def test_options_of_an_object_are_left_to_the_parser(data_home, capsys):
    words = ["--trainer.callbacks", "LearningRateMonitor"]
    words += ["--trainer.callbacks.logging_interval", "step", "--trainer.callbacks.log", "1"]
    assert main(["fit", TINY, *words]) == 2
    err = capsys.readouterr().err
    assert "--trainer.callbacks" in err and "unrecognised" not in err


def test_errors_of_the_parser_in_words():
    for text, said in (
        ("Parser key \"a.b\": Expected a <class 'float'>. Got value: x", "--a.b: wanted a number"),
        ("argument --a.b: expected one argument", "--a.b: expected one argument"),
        ("unrecognized arguments: a b", "unrecognised: a b"),
        ("Parser key \"c\": Path is not a file: 'x'", "--c: path is not a file: 'x'"),
    ):
        assert in_words(Exception(text)).startswith(said)


def test_fewer_epochs_than_warm_up():
    with pytest.raises(InputError, match=r"from 0 to its 2 epochs \(set both\), got 5.0"):
        Recipe(epochs=2)
