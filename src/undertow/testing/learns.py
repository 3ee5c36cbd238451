"""A short training on one batch, which any sound network learns by heart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from undertow.api import observe
from undertow.diagnose import Review
from undertow.engine.example import loss_of
from undertow.preflight import untouched

__all__ = ["NotLearningError", "assert_learns"]

LEAST = 4
"""Steps below which a fall of the loss says nothing."""

BY_ITS_LOSS = "dynamics"
"""Findings on the course of the loss. So short a training is judged by whether it falls at all."""


class NotLearningError(AssertionError):
    """A network did not learn what it was shown.

    Attributes:
        review: The verdict, with cause and evidence.
        losses: The loss of the batch at every step.
    """

    def __init__(self, message: str, review: Review, losses: Sequence[float]):
        super().__init__(message)
        self.review = review
        self.losses = losses


def assert_learns(
    model: nn.Module,
    loss_fn: Callable[[Any, Any], Tensor],
    batch: Any,
    *,
    optimizer: Optimizer | None = None,
    steps: int = 30,
) -> Review:
    """Train on one batch for a few steps, observed in full, and fail if anything keeps the network from learning.

    It fails if the review finds a cause (a gradient that is cut, units that are dead, a loss that is fed wrongly, …),
    and if the loss of the very batch that is trained on does not fall. Model, optimizer and random numbers are
    afterwards what they were before, to the last bit.

    Args:
        model: The model to try, as the training would start from it.
        loss_fn: Takes the model's output and the targets, and gives one number.
        batch: A pair (inputs, targets), where inputs may be a tuple; or a mapping, which goes as `model(**batch)`
            and whose loss is `loss_fn(output, batch)`.
        optimizer: The optimizer of the training; AdamW with PyTorch's settings if left out.
        steps: How many steps to make, at least 4.

    Returns:
        The review, with what is worth knowing in its `remarks`.

    Raises:
        NotLearningError: It does not learn; an `AssertionError` that says why.
        PreflightError: The batch is of another kind, or what comes out is no loss.
        ValueError: There are too few steps for a loss to fall.
    """
    if steps < LEAST:
        raise ValueError(f"steps={steps} are too few for a loss to fall; take {LEAST} or more")
    with TemporaryDirectory(prefix="undertow-") as folder, untouched(model, optimizer):
        tried = optimizer or AdamW(p for p in model.parameters() if p.requires_grad)
        losses: list[float] = []
        with observe(model, tried, every=1, store=Path(folder) / "run") as observation:
            for _ in range(steps):
                tried.zero_grad()
                loss = loss_of(model, loss_fn, batch)
                losses.append(loss.item())
                loss.backward()
                tried.step()
        review = observation.review()
    cause = next((finding for finding in review.findings if finding.family != BY_ITS_LOSS), None)
    if cause is not None:
        place = " · ".join(filter(None, (cause.module, cause.operation, cause.source)))
        at = f"\n  at {place}" if place else ""
        raise NotLearningError(f"{cause.code} {cause.name}: {cause.message}{at}\n  {cause.advice}", review, losses)
    if not _fell(losses):
        told = f"from {losses[0]:.4g} to {losses[-1]:.4g} in {steps} steps on the same batch"
        raise NotLearningError(f"the loss does not fall: {told}\n  {review.summary}", review, losses)
    return review


def _fell(losses: Sequence[float]) -> bool:
    """Whether the last quarter lies below the first one; what is not a number does not."""
    part = max(1, len(losses) // 4)
    return math.fsum(losses[-part:]) < math.fsum(losses[:part])
