"""What the loss is like where a training stands: its slope, the noise of that, its curvature, what it feels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from undertow.curvature import Edge, Eigenpair, curvature
from undertow.curvature.edge import limit
from undertow.curvature.eigen import eigen
from undertow.curvature.preconditioned import preconditioned, scales
from undertow.engine.example import examples
from undertow.errors import CurvatureError, GraphError
from undertow.linear import Operator
from undertow.noise import Estimate
from undertow.noise.gradient import FEWEST, noise_of
from undertow.standstill.training import ROUNDINGS, Training

__all__ = ["Ground", "Slope", "curved", "slope", "unfelt"]


@dataclass(frozen=True)
class Slope:
    """The gradient where a training stands.

    Attributes:
        direction: The gradient of the mean loss over all batches, a tensor a parameter.
        reach: For each parameter, ‖gradient‖ · ‖weight‖ / loss: the share of the loss that would go if it moved by
            as much as it is long, and the gradient held so far. It does not change when a layer is rescaled.
        signal_to_noise: |G|² over the variance of a batch's gradient about it; 1 where a batch's gradient is as much
            signal as noise. `None` of fewer than 3 batches.
    """

    direction: Sequence[Tensor] = field(repr=False)
    reach: Mapping[str, float] = field(repr=False)
    signal_to_noise: Estimate | None


@dataclass(frozen=True)
class Ground:
    """The curvature where a training stands.

    Attributes:
        sharpest: The largest eigenvalue of the Hessian.
        lowest: The smallest.
        rounding: How far off eigenvalues may be by rounding alone.
        edge: Sharpness in the optimizer's own units against the limit of its steps; `None` where that is not known.
    """

    sharpest: Eigenpair
    lowest: Eigenpair
    rounding: float
    edge: Edge | None

    @property
    def curves_down(self) -> bool:
        """Whether there is a direction of negative curvature, by more than the errors."""
        return self.lowest.value + self.lowest.error + self.rounding < 0


def slope(training: Training) -> Slope:
    """The gradient over all batches, and how it differs from batch to batch."""
    with training.untouched():
        torch.manual_seed(0)
        loss = training.backward()
        parameters = training.parameters
        whole = [torch.zeros_like(p) if p.grad is None else p.grad.detach().clone() for p in parameters.values()]
    norms = zip(parameters, whole, parameters.values(), strict=True)
    reach = {name: float(g.norm() * p.detach().norm()) / abs(loss) if loss else 0.0 for name, g, p in norms}
    return Slope(whole, reach, _signal_to_noise(training, whole))


def _signal_to_noise(training: Training, whole: Sequence[Tensor]) -> Estimate | None:
    """Of the gradient of one batch, from how the batches' gradients differ."""
    count = len(training.batches)
    if count < FEWEST or not any(bool(g.any()) for g in whole):
        return None
    total = sum(map(examples, training.batches))
    squares, along = [], []
    with training.untouched():
        for batch in training.batches:
            part = [g * (examples(batch) / total) for g in training.gradient(batch)]
            squares.append(sum(float(g.square().sum()) for g in part))
            along.append(sum(float((g * w).sum()) for g, w in zip(part, whole, strict=True)))
    return noise_of(torch.tensor(squares), torch.tensor(along)).signal_to_noise.times(1 / count)


def curved(training: Training) -> Ground | None:
    """The curvature over all batches; `None` where the loss has no second derivative, or none that is finite."""
    try:
        with training.untouched():
            operator = curvature(training.model, training.loss_fn, [*training.batches]).operator
            both = eigen(operator, 2, "both")
            coarsest = max(torch.finfo(dtype).eps for dtype in operator.source.dtypes)
            widest = max(abs(both.largest.value), abs(both.smallest.value))
            return Ground(both.largest, both.smallest, ROUNDINGS * coarsest * widest, _edge(training, operator))
    except (CurvatureError, GraphError):
        return None


def _edge(training: Training, operator: Operator) -> Edge | None:
    try:
        factors = scales(training.optimizer, [*training.parameters.values()])
        sharpest = eigen(preconditioned(operator, factors)).largest
        return Edge(sharpest.value, sharpest.error, limit(training.optimizer))
    except CurvatureError:
        return None


def unfelt(training: Training, share: float, probes: int = 2) -> list[str]:
    """The matrices of weights that can be replaced by a random one of the same norm and change less than this share.

    The loss does not depend on them, whichever way they move: they are behind units that are dead or saturated, or
    below so many that nothing of them arrives. Vectors (biases, scales) are left out.
    """
    before = training.loss()
    chance = torch.Generator().manual_seed(0)
    changes = {
        name: max(_replaced(training, parameter, before, chance) for _ in range(probes))
        for name, parameter in training.parameters.items()
        if parameter.ndim > 1
    }
    return [name for name, change in changes.items() if change < share]


def _replaced(training: Training, parameter: Tensor, before: float, chance: torch.Generator) -> float:
    other = torch.randn(parameter.shape, generator=chance).to(parameter)
    size = float(parameter.detach().norm()) or 1.0
    with training.untouched(), torch.no_grad():
        parameter.copy_(other * (size / other.norm()))
        after = training.loss()
    return abs(after - before) / abs(before) if before and math.isfinite(after) else math.inf
