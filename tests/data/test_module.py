"""The DataModule: attributes, errors before training, and both loaders under Lightning."""

import json

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from fastscale.data import ImageData, choice, source
from fastscale.data.identity import combined_hash
from fastscale.data.images import spread
from fastscale.data.write import write
from fastscale.errors import InputError

LOADERS = pytest.mark.parametrize("loader", ["ffcv", "plain"])
SMALL = {"resolution": 32, "test_resolution": 32, "batch_size": 10, "workers": 1}
if not choice.have_ffcv():
    LOADERS = pytest.mark.parametrize("loader", ["plain"])


@pytest.fixture
def spec(small_tree, lines):
    """45 + 12 images, fetched and written."""
    write(str(small_tree), progress=lines, workers=0)
    return str(small_tree)


@LOADERS
def test_attributes_are_the_same_for_both_loaders(spec, loader):
    d = ImageData(spec, loader=loader, **SMALL)
    s = source(spec)
    assert (d.num_classes, d.classes, d.train_size, d.val_size) == (
        3,
        ("ant", "bee", "cat"),
        45,
        12,
    )
    assert (d.mean, d.std, d.data_name, d.loader_name) == (s.mean, s.std, s.name, loader)
    first = combined_hash(s.split("train").list_digest(), s.split("val").list_digest())
    assert d.data_hash.startswith("2:") and d.same_data(d.data_hash) and d.same_data(first)
    assert d.same_data(None) and not d.same_data("0" * 64) and not d.same_data(d.data_hash[2:])
    other = ImageData(spec, loader="plain", **SMALL)
    assert d.data_hash == other.data_hash and d.stored == {}, "stored raw: one identity"
    assert d.hparams["resolution"] == 32 and d.hparams["source"] == spec
    assert [len(y) for _, y in d.train_dataloader()] == [10] * 4 and [
        len(y) for _, y in d.val_dataloader()
    ] == [10, 2]
    assert [len(y) for _, y in d.test_dataloader()] == [10, 2]


def test_auto_takes_the_fastest_loader_and_says_if_ffcv_is_missing(spec, monkeypatch, capsys):
    chosen = "resident" if choice.have_ffcv() else "plain"
    assert ImageData(spec, **SMALL).loader_name == chosen
    monkeypatch.setattr(choice, "have_ffcv", lambda: False)
    choice.say_once.cache_clear()
    assert [ImageData(spec, **SMALL).loader_name for _ in range(2)] == ["plain", "plain"]
    assert capsys.readouterr().out.count("FFCV is not installed") == 1
    with pytest.raises(
        InputError, match="FFCV is not installed; install ffcv, or choose loader plain"
    ):
        ImageData(spec, loader="ffcv", **SMALL)


@LOADERS
def test_a_subset_of_the_training_images(spec, loader):
    d = ImageData(spec, loader=loader, limit_train=21, **SMALL)
    assert d.train_size == 21 and d.train_indices.tolist() == spread(45, 21).tolist()
    d = ImageData(spec, loader=loader, **{**SMALL, "batch_size": 1}, limit_train=1)
    ((x, y),) = d.train_dataloader()
    assert x.shape == (1, 3, 32, 32) and y.tolist() == [
        int(source(spec).split("train").labels[spread(45, 1)[0]])
    ]
    assert ImageData(spec, loader=loader, limit_train=999, **SMALL).train_size == 45


@pytest.mark.parametrize("wrong, said", [
    ({"source": "fashionmnist"}, "no data source 'fashionmnist'"),
    ({"loader": "fast"}, "unknown loader 'fast' (choose from auto, ffcv, plain, resident)"),
    ({"resolution": 0}, "resolution 0: must be at least 1"),
    ({"test_resolution": 16}, "test_resolution 16 must be at least resolution 32"),
    ({"batch_size": 0}, "batch_size 0: must be at least 1"),
    ({"eval_batch_size": -5}, "eval_batch_size -5: must be at least 1"),
    ({"limit_train": 0}, "limit_train 0: must be at least 1"),
    ({"workers": -2}, "workers -2: must be -1"),
    ({"crop_area": (0.0, 1.0)}, "crop_area 0.0, 1.0: must meet"),
])  # fmt: skip
def test_invalid_arguments_are_one_line(spec, wrong, said):
    with pytest.raises(InputError) as e:
        ImageData(**{"source": spec, **SMALL, **wrong})
    assert said in str(e.value) and "\n" not in str(e.value)


def test_a_batch_larger_than_the_data_is_an_error_only_in_training(spec):
    data = ImageData(**{"source": spec, **SMALL, "batch_size": 46})
    assert sum(len(labels) for _, labels in data.val_dataloader()) == data.val_size
    with pytest.raises(InputError, match="batch_size 46 is more than the 45 training images of"):
        data.share_of(1)


@pytest.mark.skipif(not choice.have_ffcv(), reason="FFCV is not installed")
@pytest.mark.parametrize("spoil, said", [
    (lambda p: p.unlink(), r"val\.beton: not written yet; write it with: fastscale data write "),
    (
        lambda p: p.with_suffix(".json").unlink(),
        r"val\.json: missing.*; rewrite it with: fastscale data write ",
    ),
    (
        lambda p: p.write_bytes(p.read_bytes()[:-1]),
        r"val\.beton: \d+ bytes, val\.json says \d+.*fastscale data write ",
    ),
    (lambda p: p.write_bytes(b""), r"val\.beton: 0 bytes"),
    (lambda p: p.write_bytes(bytes(p.stat().st_size)), r"val\.beton: not a \.beton file"),
    (
        lambda p: [
            p.with_suffix(s).write_bytes(p.with_name(f"train{s}").read_bytes())
            for s in (".beton", ".json")
        ],
        r"contains tiny-\w+ train",
    ),
])  # fmt: skip
def test_unusable_betons_are_one_line_before_training(spec, spoil, said):
    spoil(source(spec).betons / "val.beton")
    with pytest.raises(InputError, match=said) as e:
        ImageData(spec, loader="ffcv", **SMALL)
    assert "\n" not in str(e.value)


def test_betons_of_another_source_are_refused(spec, make, lines):
    if not choice.have_ffcv():
        pytest.skip("FFCV is not installed")
    other = str(make("others", 2, 1))
    write(other, source(spec).betons, progress=lines, workers=0)
    with pytest.raises(
        InputError,
        match=r"train\.beton: contains others-\w+ train; rewrite it with: fastscale data write",
    ):
        ImageData(spec, loader="ffcv", **SMALL)


def test_images_that_are_not_fetched_are_one_line():
    with pytest.raises(
        InputError,
        match="Fashion-MNIST is not in .* yet; download it with: fastscale data write",
    ):
        ImageData(loader="plain")


class Net(pl.LightningModule):
    """Keeps a list of the batches that it sees."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 4, 3, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
        )
        self.train_seen, self.val_seen = [], []

    def training_step(self, batch, i):
        self.train_seen.append((self.current_epoch, batch[0].sum().item(), batch[1].tolist()))
        return nn.functional.cross_entropy(self.net(batch[0].float() / 255), batch[1])

    def validation_step(self, batch, i):
        self.val_seen.append(len(batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(epochs, **k):
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return pl.Trainer(max_epochs=epochs, accelerator="cpu", devices=1, **{**quiet, **k})


@LOADERS
def test_lightning_trains_and_resumes_in_order(spec, loader, tmp_path):
    whole = Net()
    trainer(4).fit(whole, ImageData(spec, loader=loader, **SMALL))
    assert len(whole.train_seen) == 16 and [s[0] for s in whole.train_seen] == sorted(
        [0, 1, 2, 3] * 4
    )
    assert whole.val_seen[-2:] == [10, 2]
    first, second = Net(), Net()
    t = trainer(2)
    t.fit(first, ImageData(spec, loader=loader, **SMALL))
    t.save_checkpoint(tmp_path / "a.ckpt")
    trainer(4).fit(
        second,
        ImageData(spec, loader=loader, **SMALL),
        ckpt_path=tmp_path / "a.ckpt",
        weights_only=True,
    )
    assert first.train_seen + second.train_seen == whole.train_seen


@LOADERS
def test_a_second_fit_starts_again(spec, loader):
    d = ImageData(spec, loader=loader, **SMALL)
    a, b = Net(), Net()
    trainer(1).fit(a, d)
    trainer(1).fit(b, d)
    assert a.train_seen == b.train_seen


def test_both_loaders_train_on_the_same_batches(spec):
    if not choice.have_ffcv():
        pytest.skip("FFCV is not installed")
    nets = []
    for loader in ("ffcv", "plain"):
        nets.append(Net())
        trainer(2).fit(nets[-1], ImageData(spec, loader=loader, seed=3, **SMALL))
    assert nets[0].train_seen == nets[1].train_seen


DDP = """
import json, sys
import pytorch_lightning as pl, torch
from torch import nn
from fastscale.data import ImageData

class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 3)
        self.train_seen, self.val_seen = [], []
    def training_step(self, b, i):
        self.train_seen += b[0].flatten(1).sum(1).tolist()
        return nn.functional.cross_entropy(self.net(b[0].float().mean((2, 3))), b[1])
    def validation_step(self, b, i):
        self.val_seen += b[0].flatten(1).sum(1).tolist()
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

def main():
    net = Net()
    data = ImageData(sys.argv[1], resolution=32, test_resolution=32, batch_size=10, workers=1)
    quiet = ("logger", "enable_progress_bar", "enable_checkpointing", "enable_model_summary")
    options = dict.fromkeys(quiet, False) | {"max_epochs": 1, "num_sanity_val_steps": 0}
    pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", **options).fit(net, data)
    with open(f"{sys.argv[2]}/{net.global_rank}.json", "w") as f:
        json.dump([net.train_seen, net.val_seen], f)

if __name__ == "__main__":
    main()
"""


def test_two_processes_share_the_images(spec, tmp_path, python):
    script = tmp_path / "ddp.py"
    script.write_text(DDP)
    code = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    r = python(code, script, spec, tmp_path, timeout=120)
    assert r.returncode == 0, r.stderr[-2000:]
    (train0, val0), (train1, val1) = (
        json.loads((tmp_path / f"{k}.json").read_text()) for k in range(2)
    )
    assert len(train0) == len(train1) == 20 and len(set(train0 + train1)) == 40, "no image twice"
    whole = torch.cat([x for x, _ in ImageData(spec, **SMALL).val_dataloader()])
    assert sorted(val0 + val1) == sorted(whole.flatten(1).sum(1).tolist()), (
        "evaluation counts each image once"
    )


def test_lightnings_command_line_takes_it(spec):
    from pytorch_lightning.cli import LightningCLI

    args = [
        "--data.source",
        spec,
        "--data.resolution=32",
        "--data.test_resolution=null",
        "--data.batch_size=9",
        "--data.crop_area=[0.3,1]",
    ]
    cli = LightningCLI(Net, ImageData, args=args, run=False, save_config_callback=None)
    assert (
        cli.datamodule.train_framing.crop_area == (0.3, 1)
        and cli.datamodule.val_framing.test_resolution == 37
    )
    assert cli.datamodule.batch_size == cli.datamodule.eval_batch_size == 9


def test_normalised_training_pixels_have_about_the_stated_mean(spec):
    """The crops are as bright as the images."""
    d = ImageData(
        spec,
        loader="plain",
        **{**SMALL, "batch_size": 45},
        crop_area=(1.0, 1.0),
        crop_ratio=(1.0, 1.0),
    )
    ((x, _),) = d.train_dataloader()
    images = source(spec).split("train")
    assert abs(x.float().mean() - np.mean([images.pixels(i).mean() for i in range(45)])) < 12
