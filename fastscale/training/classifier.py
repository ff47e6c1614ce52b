"""ImageClassifier: the LightningModule that trains any arch by a recipe.

Raw and averaged (EMA) weights are both evaluated. No step waits for the device: losses and metrics
accumulate there and are read at the end of an epoch.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MeanMetric

from fastscale.common import IMAGENET_MEAN, IMAGENET_STD
from fastscale.errors import RunError
from fastscale.models import build
from fastscale.scaling import network_of, own_definition
from fastscale.training.ema import ema_weight, update_ema
from fastscale.training.layout import to_layout
from fastscale.training.mixup import Mix, apply_mix, draw_mix, mixed_loss
from fastscale.training.optimizer import sgd, weight_decay
from fastscale.training.recipe import Recipe
from fastscale.training.schedule import lr_multiplier
from fastscale.training.scoring import Scored
from fastscale.training.starting import Start, freeze, load_start

PAPER = Recipe()


class ImageClassifier(Scored):
    """Takes uint8 (N, 3, H, W) RGB images and int64 (N,) labels; normalises on the device.

    `arch`: a network's name (`regnety-500mf.dWr-x4`). `definition`: the fields of a network that
    other programs do not know by its name. `mean`, `std`: per RGB channel, 0 to 255. `weights`:
    name or path of trained weights to start from; `start_from` loads them.
    """

    def __init__(
        self,
        arch: str,
        recipe: Recipe = PAPER,
        num_classes: int = 1000,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
        seed: int = 0,
        definition: dict[str, Any] | None = None,
        weights: str | None = None,
    ):
        recipe = Recipe.from_dict(recipe) if isinstance(recipe, dict) else recipe
        super().__init__(recipe, num_classes, mean, std)
        self.arch, self.seed = network_of(arch, definition), seed
        self.net = build(self.arch, num_classes, self.recipe.drop_path)
        to_layout(self.net, self.recipe.layout)
        freeze(self.net, recipe.freeze)
        self.weights = weights
        self.ema = copy.deepcopy(self.net).requires_grad_(False).eval()
        self.criterion = nn.CrossEntropyLoss(label_smoothing=self.recipe.label_smoothing)
        # without the check for NaN, which would wait for the device
        self.train_loss = MeanMetric(nan_strategy="disable")
        self.bad_losses = 0  # readings in a row that were not finite
        self.rate = 0.0  # learning rate of the last step
        self.read_loss: float | None = None  # the last loss that was read from the device
        self.epoch_loss: float | None = None  # of the last complete epoch
        # for the checkpoint: the run's data source, classes, loader and precision
        self.trained_with: dict[str, Any] = {}

    def start_from(self, start: Start, classes: Sequence[str], data: str) -> str:
        """Loads trained weights and their normalisation (see starting.py) before training.

        Returns a text that says what was loaded. `classes`: of `data`, by label.
        """
        taken = load_start(self.net, self.arch, start, classes, data)
        self.ema.load_state_dict(self.net.state_dict())
        self.recipe = replace(self.recipe, initial=start.digest)
        self.set_normalisation(start.mean, start.std)
        return taken + ("; only that is trained" if self.recipe.freeze == "body" else "")

    @property
    def settings(self) -> dict[str, Any]:
        """Plain values that rebuild this module: `ImageClassifier(**settings)`."""
        defined = own_definition(self.arch)
        return {
            **({"definition": defined} if defined else {}),
            "arch": self.arch.name,
            "recipe": self.recipe.as_dict(),
            "num_classes": self.num_classes,
            "mean": list(self.mean),
            "std": list(self.std),
            "seed": self.seed,
        }

    def setup(self, stage: str) -> None:
        """Compiles the inner network in place, which leaves the state-dict keys as they are."""
        if self.recipe.compile and stage == "fit":
            self.net.compile()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds settings as plain values, so that the checkpoint loads with weights_only=True."""
        checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY] = self.settings
        checkpoint["trained_with"] = self.trained_with
        measured = self.measured_at == self.trainer.global_step
        checkpoint["errors"] = self.errors if measured else {}
        checkpoint["epoch_loss"] = self.epoch_loss
        with self.train_loss.sync_context():  # the loss so far, over all processes
            checkpoint["train_loss"] = [
                float(self.train_loss.mean_value),
                float(self.train_loss.weight),
            ]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores the loss of the last epoch and of the current one."""
        self.epoch_loss = checkpoint.get("epoch_loss")
        # saved as the sum over all processes, so that only the first one takes it
        total, count = (
            checkpoint.get("train_loss", [0.0, 0.0]) if self.global_rank == 0 else (0.0, 0.0)
        )
        self.train_loss.mean_value, self.train_loss.weight = (
            self.train_loss.weight.new_tensor(v) for v in (total, count)
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised -> (N, num_classes) logits of the raw weights."""
        return self.net(images)

    def on_train_start(self) -> None:
        """Tells the loader where a resumed run continues.

        The loader is made before that is known and would start with its first batch.
        """
        loader: Any = self.trainer.train_dataloader
        loader.next_epoch = self.current_epoch
        if self.trainer.fit_loop.restarting:  # within an epoch
            done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
            if done < self.trainer.num_training_batches:
                loader.first_batch = done
            else:  # stopped in the validation after its last batch: the next epoch follows
                loader.next_epoch += 1

    def begin_part(self, batch_idx: int) -> Mix:
        """Notes the learning rate of the batch's step and draws how the batch is mixed."""
        self.rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])
        part = self.global_step * self.recipe.accumulate + batch_idx % self.recipe.accumulate
        # like all else that is random, what drop path drops depends on seed, step and process only
        if self.recipe.drop_path:
            torch.manual_seed(hash((self.seed, part, self.global_rank)) % 2**63)
        return draw_mix(self.recipe, self.seed, part)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of a batch, mixed if the recipe says so."""
        images, labels = batch
        images, share = apply_mix(images, self.begin_part(batch_idx))
        loss = mixed_loss(self.criterion, self.net(images), labels, share)
        self.train_loss.update(loss.detach())
        return loss

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None
    ) -> None:
        """Updates the weights, then the averaged ones if that is due.

        Done here rather than at the batch's end, so that a checkpoint never lies between the two.
        """
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        weight = self.due_average(epoch, batch_idx)
        if weight is not None:
            update_ema(self.ema, self.net, weight)

    def due_average(self, epoch: int, batch_idx: int) -> float | None:
        """The weight of the averaged weights' update after this step; None if none is due.

        One is due after an epoch's first step and every `ema_every` steps from there, as in the
        authors' code.
        """
        step = batch_idx // self.recipe.accumulate
        due = self.recipe.ema_rate > 0 and step % self.recipe.ema_every == 0
        return ema_weight(self.recipe, epoch) if due else None

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Logs loss and rate every `log_every_n_steps` steps: the only wait for the device."""
        if (batch_idx + 1) % self.recipe.accumulate:  # the step is not complete
            return
        if self.global_step % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            loss = float(self.over_processes(outputs["loss"])) * self.recipe.accumulate
            self.check(loss)
            self.read_loss = loss
            if self.logger is not None:
                self.logger.log_metrics(
                    {"loss": loss, "learning_rate": self.rate}, self.global_step
                )

    def over_processes(self, value: Tensor) -> Tensor:
        """The mean over all processes."""
        return cast(Tensor, self.trainer.strategy.reduce(value.detach().clone(), reduce_op="mean"))

    def check(self, loss: float) -> None:
        """RunError if the loss is not finite; all processes find that at the same step.

        In float16 only for the second such reading in a row: the gradient scaler skips a step whose
        values overflowed.
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
        """Reads the epoch's mean loss once."""
        loss = self.train_loss.compute()
        self.epoch_loss = float(loss)
        if not self.float16:  # there, a single skipped step spoils the mean
            self.check(self.epoch_loss)
        self.log_dict({"train_loss": loss, "learning_rate": self.rate})
        self.train_loss.reset()

    @property
    def epochs(self) -> int:
        """Epochs of this trainer: the recipe's, or fewer for a run that ended early."""
        return self.trainer.max_epochs or self.recipe.epochs

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """SGD and its schedule, which moves every epoch or every step as the recipe says."""
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
