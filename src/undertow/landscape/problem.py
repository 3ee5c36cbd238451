"""What is measured at each point: the loss of a model on batches, with its normalisations told what to do."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from undertow.engine.example import called, described, is_one_number, listed, mean_over, tensors
from undertow.errors import LandscapeError
from undertow.landscape.identity import identity

__all__ = ["Problem", "Statistics"]

Statistics = Literal["stored", "batch", "recomputed"]


@dataclass(frozen=True)
class Problem:
    """A loss as a function of a model's parameters.

    The model is in evaluation mode (no dropout). What batch normalisation divides by is said by `statistics`:
    "stored", its running statistics as they stand; "batch", those of each batch; "recomputed", those of all batches,
    gathered anew at each point by a pass over them.

    Attributes:
        model: The model, never written to.
        loss_fn: Called with the model's output and the targets, as in `preflight`.
        batches: What the loss is the mean over, each batch weighted by its examples.
        statistics: What batch normalisation divides by.
    """

    model: nn.Module
    loss_fn: Callable[[Any, Any], Tensor]
    batches: tuple[Any, ...]
    statistics: Statistics = "stored"

    @classmethod
    def of(cls, model: nn.Module, loss_fn: Callable[[Any, Any], Tensor], batch: Any, statistics: Statistics) -> Problem:
        """The problem of one batch, or of a list of them.

        Raises:
            LandscapeError: There is no batch, or no such way with statistics.
        """
        if statistics not in ("stored", "batch", "recomputed"):
            raise LandscapeError(f"statistics are 'stored', 'batch' or 'recomputed', not {statistics!r}")
        batches = listed(batch)
        if not batches:
            raise LandscapeError("there is no batch to take the loss of\n  Pass a batch, or a list of at least one.")
        return cls(model, loss_fn, batches, statistics)

    def prepared(self) -> nn.Module:
        """A copy of the model, in the modes in which it is measured."""
        model = copy.deepcopy(self.model).eval()
        for module in normalisations(model):
            if self.statistics == "batch":
                module.train()
                module.track_running_stats = False
            elif self.statistics == "recomputed":
                module.momentum = None
        return model

    def loss(self, model: Callable[..., Any]) -> Tensor:
        """The mean loss over all batches of a prepared model, or of a function that stands for it."""
        return mean_over(self.batches, lambda batch: self._checked(called(model, self.loss_fn, batch)))

    def gathered(self, model: nn.Module) -> None:
        """Gather the statistics of a prepared model anew, where that is asked for."""
        layers = normalisations(model)
        if self.statistics != "recomputed" or not layers:
            return
        for module in layers:
            module.reset_running_stats()
            module.train()
        for batch in self.batches:
            called(model, self.loss_fn, batch)
        for module in layers:
            module.eval()

    def digest(self) -> str:
        """A fingerprint of the data, the buffers, the loss function and what is done with statistics."""
        told = hashlib.sha256(f"{self.statistics} {identity(self.loss_fn)}".encode())
        for tensor in (*tensors(self.batches), *self.model.buffers()):
            told.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return told.hexdigest()

    def _checked(self, loss: Any) -> Tensor:
        if not is_one_number(loss):
            raise LandscapeError(
                f"loss_fn gave {described(loss)}, and a landscape is of one number\n  Take the mean of it."
            )
        return loss.reshape(())


def normalisations(model: nn.Module) -> list[_BatchNorm]:
    """Its batch normalisations with running statistics."""
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
