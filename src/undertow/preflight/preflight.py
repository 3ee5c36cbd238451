"""Two training steps on one batch, observed in full, judged, and undone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from undertow.api import observe
from undertow.diagnose import Review, review
from undertow.diagnose.case import Case
from undertow.diagnose.finding import Finding
from undertow.engine.example import loss_of
from undertow.preflight.reach import Reach, promised
from undertow.preflight.untouched import untouched
from undertow.shown import Shown

__all__ = ["Preflight", "preflight"]


@dataclass(frozen=True)
class Preflight(Shown):
    """What two steps on one batch tell of a training to come.

    Attributes:
        review: The verdict; its `outcome` says nothing yet, two losses being too few.
        loss: The first loss.
        chance: The loss of a network that ignores its input, where the target tells; `nan` otherwise.
        reach: How far the optimizer's first step goes; `None` without an optimizer.
        scales: Each weight with the log10 of ‖gradient‖ · ‖weight‖, from the input to the loss.
        seconds: How long a step takes, observing included.
    """

    review: Review
    loss: float
    chance: float
    reach: Reach | None
    scales: Sequence[tuple[str, float]] = field(repr=False)
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing was found that would stop the run from learning."""
        return not self.findings

    @property
    def findings(self) -> Sequence[Finding]:
        """What would, the cause first."""
        return self.review.findings

    def __str__(self) -> str:
        lines = [f"{f.code} {f.name}: {f.message}\n  {f.advice}" for f in self.findings] or [
            "Nothing was found that would stop this network from learning."
        ]
        lines += [f"worth knowing: {f.code} {f.name}: {f.message}" for f in self.review.remarks]
        return "\n".join([*lines, *self._facts()])

    def _facts(self) -> list[str]:
        chance = "" if math.isnan(self.chance) else f"; guessing would cost {self.chance:.4g}"
        facts = [f"first loss {self.loss:.4g}{chance}"]
        known = [scale for _, scale in self.scales if math.isfinite(scale)]
        if known:
            silent = len(self.scales) - len(known)
            more = f"; {silent} get none at all" if silent else ""
            facts.append(f"gradients of {len(known)} weights lie within {max(known) - min(known):.1f} decades{more}")
        if self.reach is not None:
            facts.append(_told(self.reach))
        return [*facts, f"a step takes {self.seconds:.3g} s, observed in full"]


def _told(reach: Reach) -> str:
    change = f"the first step takes the loss of its batch from {reach.before:.4g} to {reach.after:.4g}"
    if math.isinf(reach.best):
        return f"{change}, by as much as the gradient promised: a larger step may do"
    return f"{change}; {reach.best:.2g} times this step would bring it down farthest"


def preflight(
    model: nn.Module, loss_fn: Callable[[Any, Any], Tensor], batch: Any, optimizer: Optimizer | None = None
) -> Preflight:
    """Say before training what would stop it from learning, from two steps on one batch.

    Model, optimizer and random numbers are afterwards what they were before, to the last bit; the steps are made in
    the modes that the model is in.

    Args:
        model: The model as the training will start from it.
        loss_fn: Takes the model's output and the targets, and gives one number.
        batch: A pair (inputs, targets), where inputs may be a tuple; or a mapping, which goes as `model(**batch)`
            and whose loss is `loss_fn(output, batch)`.
        optimizer: The optimizer as the training will start with it; without one, no step is made, and nothing is said
            of steps.

    Raises:
        PreflightError: The batch is of another kind, or what comes out is no loss.
        TypeError: The optimizer wants a closure at each step (LBFGS), which makes several passes of one step.
        UndertowError: Something is being observed already.
    """
    started = time.perf_counter()
    with TemporaryDirectory(prefix="undertow-") as folder, untouched(model, optimizer):
        with observe(model, optimizer, every=1, store=Path(folder) / "run") as observation:
            loss, reach = _steps(model, lambda: loss_of(model, loss_fn, batch), optimizer)
        run = observation.stored()
        case = Case(run)
        scales = case.relative_scales(case.passes[0]) if case.passes else []
        return Preflight(
            review=review(run),
            loss=loss,
            chance=case.outcome.chance,
            reach=reach,
            scales=[(name, scale) for name, _, scale in reversed(scales)],
            seconds=(time.perf_counter() - started) / (1 if optimizer is None else 2),
        )


def _steps(model: nn.Module, forward: Callable[[], Tensor], optimizer: Optimizer | None) -> tuple[float, Reach | None]:
    """The first loss, and how far the first step goes; the second step sees the same chance as the first."""
    model.zero_grad()
    chance = torch.get_rng_state()
    before = _backward(forward)
    if optimizer is None:
        return before, None
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    weights = [p.detach().clone() for p in trained]
    optimizer.step()
    fall = promised(trained, weights)
    optimizer.zero_grad()
    torch.set_rng_state(chance)
    after = _backward(forward)
    optimizer.step()
    return before, Reach(before, after, fall)


def _backward(forward: Callable[[], Tensor]) -> float:
    loss = forward()
    loss.backward()
    return loss.item()
