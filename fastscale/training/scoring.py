"""The part of the LightningModule that validates raw and averaged (EMA) weights.

Precise batch-norm statistics are computed before it.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from fastscale.errors import RunError
from fastscale.models.finite import not_finite
from fastscale.training.fed import Fed
from fastscale.training.precise_bn import recompute_statistics
from fastscale.training.recipe import Recipe

# the names under which validation errors are logged, in %
ERRORS = ("top1_error", "top5_error", "top1_error_ema", "top5_error_ema")
ERROR_DIGITS = 4  # of percent: one image in a million
FINE = 1e9  # more than the batches of any validation


class Scored(Fed):
    """`net` and `ema` are the networks of raw and averaged weights."""

    net: nn.Module
    ema: nn.Module
    accuracies: Any  # a ModuleDict of metrics, which mypy takes for plain modules

    def __init__(
        self,
        recipe: Recipe,
        num_classes: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ):
        super().__init__(recipe, mean, std)
        self.num_classes = num_classes
        # with 5 classes or fewer, the right one is always among the first 5
        self.top = {"top1": 1, "top5": 5} if num_classes > 5 else {"top1": 1}
        self.errors: dict[str, float] = {}  # of the weights after step `measured_at`, in %
        self.measured_at = -1
        self.precise = False  # whether `validate` computes precise statistics first, as `fit` does
        self.bad: dict[str, Tensor] = {}  # the first batch whose logits are not finite
        self.accuracies = nn.ModuleDict(
            {
                f"{k}_error{suffix}": MulticlassAccuracy(
                    num_classes, top_k=n, average="micro", validate_args=False
                )
                for suffix in ("", "_ema")
                for k, n in self.top.items()
            }
        )

    def on_validation_start(self) -> None:
        """Computes precise batch-norm statistics, if the recipe asks for them.

        Also once after training, if the last validation was of earlier weights.
        """
        self.bad = {}
        if self.trainer.sanity_checking:
            return
        if self.recipe.precise_bn and (self.precise or self.trainer.state.fn == "fit"):
            trainer: Any = self.trainer  # its type does not have the datamodule that it has
            loader = trainer.datamodule.train_dataloader()
            # an epoch whose crops training does not see
            loader.next_epoch = self.recipe.epochs + self.current_epoch
            batches = self.fed(loader)
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
        elif self.trainer.world_size > 1:
            # statistics differ between processes: all use the ones that the checkpoint holds
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Counts right answers of raw and averaged weights.

        Notes the first batch with logits that are not finite, without waiting for the device.
        """
        images, labels = batch
        self.keep_pace()
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
        """Logs errors in % over all validation images; RunError if a number is not finite."""
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
        """RunError that names the first parameter, statistic or batch that is not finite.

        All processes find the same one.
        """
        if name := not_finite(self.state_dict()):
            if self.trainer.state.fn == "fit":
                raise RunError(
                    f"the weights are not finite after step {self.trainer.global_step} ({name}); "
                    "a lower --model.recipe.lr may help"
                )
            raise RunError(f"{name} is not finite, so there is no error to report")
        for suffix, first in self.bad.items():
            batch = float(self.trainer.strategy.reduce(first, reduce_op="min"))
            if batch < FINE:
                weights = "averaged" if suffix else "raw"
                raise RunError(
                    f"the {weights} weights give logits that are not finite, first in validation "
                    f"batch {int(batch)}, so there is no error to report"
                )
