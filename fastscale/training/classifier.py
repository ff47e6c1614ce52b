"""ImageClassifier: the LightningModule around any arch, following a recipe; raw and averaged weights are both evaluated.

No host sync in a step: losses and metrics accumulate on the device and are read at the end of an epoch.
"""

import copy
import math
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from fastscale.errors import RunError
from fastscale.models import build
from fastscale.models.finite import not_finite
from fastscale.scaling import arch_named
from fastscale.training.ema import ema_weight, update_ema
from fastscale.training.layout import memory_format, to_layout
from fastscale.training.mixup import Mix, apply_mix, draw_mix, mixed_loss
from fastscale.training.optimizer import sgd, weight_decay
from fastscale.training.precise_bn import recompute_statistics
from fastscale.training.recipe import Recipe
from fastscale.training.schedule import lr_multiplier

# the names under which validation errors are logged, in %
ERRORS = ("top1_error", "top5_error", "top1_error_ema", "top5_error_ema")
ERROR_DIGITS = 4  # of percent: one image of a million
FINE = 1e9  # no validation has so many batches
PAPER = Recipe()
IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class ImageClassifier(pl.LightningModule):
    """`arch`: a network's name (`regnety-500mf.dWr-x4`); `mean`, `std` per RGB channel on the scale 0 to 255.

    Takes batches of uint8 (N, 3, H, W) RGB images and int64 (N,) labels; they are normalised on the device.
    """

    image_mean: Tensor
    image_std: Tensor
    accuracies: Any  # a ModuleDict of metrics, whose type says only that they are modules

    def __init__(
        self,
        arch: str,
        recipe: Recipe = PAPER,
        num_classes: int = 1000,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
        seed: int = 0,
    ):
        super().__init__()
        self.recipe = Recipe.from_dict(recipe) if isinstance(recipe, dict) else recipe
        self.arch = arch_named(arch)
        self.num_classes, self.mean, self.std, self.seed = (
            num_classes,
            tuple(mean),
            tuple(std),
            seed,
        )
        self.net = build(self.arch, num_classes, self.recipe.drop_path)
        to_layout(self.net, self.recipe.layout)
        self.ema = copy.deepcopy(self.net).requires_grad_(False).eval()
        self.register_buffer(
            "image_mean",
            torch.tensor(self.mean, dtype=torch.float32).view(1, 3, 1, 1),
            persistent=False,
        )
        self.register_buffer(
            "image_std",
            torch.tensor(self.std, dtype=torch.float32).view(1, 3, 1, 1),
            persistent=False,
        )
        self.criterion = nn.CrossEntropyLoss(label_smoothing=self.recipe.label_smoothing)
        self.train_loss = MeanMetric(
            nan_strategy="disable"
        )  # its check for NaN would wait for the device
        self.top = (
            {"top1": 1, "top5": 5} if num_classes > 5 else {"top1": 1}
        )  # of 5 classes the right one is always among the first 5
        self.bad_losses = 0  # readings in a row that were no numbers
        self.rate = 0.0  # learning rate of the last step
        self.epoch_loss: float | None = None  # of the last whole epoch
        self.errors: dict[str, float] = {}  # of the weights after step `measured_at`, in %
        self.measured_at = -1
        self.precise = False  # whether `validate` computes precise statistics first, as `fit` does
        self.bad: dict[str, Tensor] = {}  # the first batch whose logits were not finite
        self.trained_with: dict[
            str, Any
        ] = {}  # data source and classes, loader and precision of the run, for its checkpoint
        self.accuracies = nn.ModuleDict(
            {
                f"{k}_error{suffix}": MulticlassAccuracy(
                    num_classes, top_k=n, average="micro", validate_args=False
                )
                for suffix in ("", "_ema")
                for k, n in self.top.items()
            }
        )

    @property
    def memory_format(self) -> torch.memory_format:
        """Of the network and of its batches: one setting for both."""
        return memory_format(self.recipe.layout)

    @property
    def settings(self) -> dict[str, Any]:
        """Plain values that build this module again: `ImageClassifier(**settings)`."""
        return {
            "arch": self.arch.name,
            "recipe": self.recipe.as_dict(),
            "num_classes": self.num_classes,
            "mean": list(self.mean),
            "std": list(self.std),
            "seed": self.seed,
        }

    def setup(self, stage: str) -> None:
        """Compiles the inner network in place, so that state-dict keys stay clean."""
        if self.recipe.compile and stage == "fit":
            self.net.compile()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Settings as plain values: the checkpoint loads with weights_only=True."""
        checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY] = self.settings
        checkpoint["trained_with"] = self.trained_with
        measured = self.measured_at == self.trainer.global_step
        checkpoint["errors"] = self.errors if measured else {}
        checkpoint["epoch_loss"] = self.epoch_loss
        with self.train_loss.sync_context():  # over all processes, of an epoch under way
            checkpoint["train_loss"] = [
                float(self.train_loss.mean_value),
                float(self.train_loss.weight),
            ]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The loss of the epoch before, and of the one under way: one process has all of it."""
        self.epoch_loss = checkpoint.get("epoch_loss")
        total, count = (
            checkpoint.get("train_loss", [0.0, 0.0]) if self.global_rank == 0 else (0.0, 0.0)
        )
        self.train_loss.mean_value, self.train_loss.weight = (
            self.train_loss.weight.new_tensor(v) for v in (total, count)
        )

    def on_after_batch_transfer(
        self, batch: tuple[Tensor, Tensor], _dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """uint8 RGB -> normalised float, in the network's layout, on the device."""
        images, labels = batch
        return self.normalise(images), labels

    def normalise(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) on the scale 0 to 255 -> mean 0, std 1 over the data set."""
        return (
            (images.to(self.image_mean.dtype) - self.image_mean)
            .div_(self.image_std)
            .contiguous(memory_format=self.memory_format)
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised -> (N, num_classes) logits of the raw weights."""
        return self.net(images)

    def on_train_start(self) -> None:
        """Tells the loader where a resumed run goes on: it is made before that is known, and starts with its first batch."""
        loader: Any = self.trainer.train_dataloader
        loader.next_epoch = self.current_epoch
        if self.trainer.fit_loop.restarting:  # within an epoch
            done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
            if done < self.trainer.num_training_batches:
                loader.first_batch = done
            else:  # stopped in the validation after its last batch: the next loop is the next epoch
                loader.next_epoch += 1

    def begin_part(self, batch_idx: int) -> Mix:
        """Notes the learning rate of a batch's step and draws how the batch is mixed."""
        self.rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])
        part = self.global_step * self.recipe.accumulate + batch_idx % self.recipe.accumulate
        if (
            self.recipe.drop_path
        ):  # what it drops is a function of seed, step and process, as all else that is random
            torch.manual_seed(hash((self.seed, part, self.global_rank)) % 2**63)
        return draw_mix(self.recipe, self.seed, part)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Loss of a batch, mixed where the recipe says so."""
        images, labels = batch
        images, share = apply_mix(images, self.begin_part(batch_idx))
        loss = mixed_loss(self.criterion, self.net(images), labels, share)
        self.train_loss.update(loss.detach())
        return loss

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None
    ) -> None:
        """A step, with the average that is due after it: here, and not at the batch's end, it is
        part of the step before anything is saved."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        weight = self.due_average(epoch, batch_idx)
        if weight is not None:
            update_ema(self.ema, self.net, weight)

    def due_average(self, epoch: int, batch_idx: int) -> float | None:
        """With which weight the average takes the weights after this step, if it does: after an
        epoch's first step and every `ema_every`-th from there, as in the authors' code."""
        step = batch_idx // self.recipe.accumulate
        due = self.recipe.ema_rate > 0 and step % self.recipe.ema_every == 0
        return ema_weight(self.recipe, epoch) if due else None

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Shows loss and rate every `log_every_n_steps`, the only wait for the device."""
        if (batch_idx + 1) % self.recipe.accumulate:  # no step was made
            return
        if self.global_step % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            loss = float(self.over_processes(outputs["loss"])) * self.recipe.accumulate
            self.check(loss)
            if self.logger is not None:
                self.logger.log_metrics(
                    {"loss": loss, "learning_rate": self.rate}, self.global_step
                )

    def over_processes(self, value: Tensor) -> Tensor:
        """The mean over all processes."""
        return cast(Tensor, self.trainer.strategy.reduce(value.detach().clone(), reduce_op="mean"))

    def check(self, loss: float) -> None:
        """RunError for a loss that is not a number any more; all processes find it at the same step.

        In float16 only for the second such reading in a row: the gradient scaler passes over a step whose values overflowed.
        """
        self.bad_losses = 0 if math.isfinite(loss) else self.bad_losses + 1
        if self.bad_losses > self.float16:
            raise RunError(
                f"the loss is {loss} at step {self.global_step} (epoch {self.current_epoch + 1}, "
                f"learning rate {self.rate:.4g}); a lower --model.recipe.lr or a longer "
                "--model.recipe.warmup_epochs may help"
            )

    @property
    def float16(self) -> bool:
        """Whether a step may overflow without harm."""
        return self.trainer.precision == "16-mixed"

    def on_train_epoch_end(self) -> None:
        """One read of the epoch's mean loss."""
        loss = self.train_loss.compute()
        self.epoch_loss = float(loss)
        if not self.float16:  # one step that was passed over spoils the mean
            self.check(self.epoch_loss)
        self.log_dict({"train_loss": loss, "learning_rate": self.rate})
        self.train_loss.reset()

    def on_validation_start(self) -> None:
        """Precise batch norm, where the recipe wants it: in training, and once after it where the
        last validation was of earlier weights."""
        self.bad = {}
        if self.trainer.sanity_checking:
            return
        if self.recipe.precise_bn and (self.precise or self.trainer.state.fn == "fit"):
            data: Any = getattr(self.trainer, "datamodule")  # noqa: B009  (Lightning sets it, its type does not say so)
            loader = data.train_dataloader()
            loader.next_epoch = (
                self.recipe.epochs + self.current_epoch
            )  # crops that training does not see
            batches = (self.normalise(images.to(self.device)) for images, _ in loader)
            wanted = -(-self.recipe.precise_bn * self.recipe.accumulate // self.recipe.batch_size)
            nets = [self.net, self.ema] if self.recipe.ema_rate else [self.net]
            reduce = self.trainer.strategy.reduce
            with torch.inference_mode(False), torch.no_grad():
                recompute_statistics(
                    nets,
                    batches,
                    min(wanted, len(loader)),
                    lambda t: cast(Tensor, reduce(t, reduce_op="mean")),
                )
        elif (
            self.trainer.world_size > 1
        ):  # each process has statistics of its own images: all score with those that the checkpoint holds
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Counts right answers of raw and averaged weights; notes, without a wait, which batch had
        logits that are no numbers."""
        images, labels = batch
        logits = {"": self.net(images)}
        if self.recipe.ema_rate:
            logits["_ema"] = self.ema(images)
        for suffix, scores in logits.items():
            for k in self.top:
                self.accuracies[f"{k}_error{suffix}"].update(scores, labels)
            before = self.bad.get(suffix)
            if before is None:
                before = torch.full((), FINE, device=scores.device)
            self.bad[suffix] = torch.where(
                scores.isfinite().all(), before, before.clamp(max=float(batch_idx))
            )

    def on_validation_epoch_end(self) -> None:
        """Errors in %, over every validation image exactly once; RunError where there are none."""
        self.check_numbers()
        errors: dict[str, float] = {}
        for name, accuracy in self.accuracies.items():
            if name.endswith("_ema") and not self.recipe.ema_rate:
                continue
            error = 100.0 * (1.0 - accuracy.compute().double())
            self.log(name, error, prog_bar=name.startswith("top1"))
            errors[name] = round(float(error.float()), ERROR_DIGITS)
            accuracy.reset()
        if not self.trainer.sanity_checking:
            self.errors, self.measured_at = errors, self.trainer.global_step

    def check_numbers(self) -> None:
        """RunError that names the parameter, the statistic or the batch whose numbers are none; all
        processes find the same."""
        if name := not_finite(self.state_dict()):
            if self.trainer.state.fn == "fit":
                raise RunError(
                    f"the weights are not finite after step {self.trainer.global_step} ({name}); "
                    "a lower --model.recipe.lr may help"
                )
            raise RunError(f"{name} is not finite, so there is no error to tell")
        for suffix, first in self.bad.items():
            batch = float(self.trainer.strategy.reduce(first, reduce_op="min"))
            if batch < FINE:
                weights = "averaged" if suffix else "raw"
                raise RunError(
                    f"the {weights} weights give logits that are not finite, first in validation "
                    f"batch {int(batch)}, so there is no error to tell"
                )

    @property
    def epochs(self) -> int:
        """Epochs of this trainer: the recipe's, fewer for a run that ended early."""
        return self.trainer.max_epochs or self.recipe.epochs

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """SGD and its schedule, stepped every epoch or every step as the recipe says."""
        optimizer = sgd(self.net, self.recipe, weight_decay(self.recipe, self.arch))
        per_epoch = self.recipe.lr_every == "epoch"
        steps = (
            1 if per_epoch else max(1, int(self.trainer.estimated_stepping_batches) // self.epochs)
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda t: lr_multiplier(self.recipe, t / steps)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "epoch" if per_epoch else "step"},
        }
