"""What a run remembers: plain data, one class a kind of fact."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.engine.flow import Flow
from undertow.store.conditions import Conditions

__all__ = [
    "Activation",
    "Evaluations",
    "Event",
    "InputScale",
    "LossHead",
    "Losses",
    "OptimizerState",
    "Parameter",
    "Pass",
    "Probed",
    "Rate",
    "Site",
    "Target",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the user's code that starts backward passes."""

    source: str


@dataclass(frozen=True, slots=True)
class Losses:
    """The loss at one site, unscaled, one entry a backward pass."""

    steps: NDArray[np.int64]
    values: Floats
    seconds: Floats
    """Since the run began."""


@dataclass(frozen=True, slots=True)
class Evaluations:
    """The loss at one place that is computed without a gradient, one entry an evaluation.

    Attributes:
        steps: Optimizer steps made before each.
        values: Mean losses, over all batches between two steps, each counting as often as it has examples.
        examples: How many these are: rows of the first thing that the loss is given.
        seconds: Since the run began.
    """

    steps: NDArray[np.int64]
    values: Floats
    examples: NDArray[np.int64]
    seconds: Floats


@dataclass(frozen=True, slots=True)
class Rate:
    """The learning rate of one group of an optimizer, one entry whenever it changed.

    Attributes:
        optimizer: Its number, in the order of their first steps.
        part: Number of the group.
        steps: Optimizer steps made before the first step at each rate.
        values: The rates.
    """

    optimizer: int
    part: int
    steps: NDArray[np.int64]
    values: Floats

    def at(self, steps: NDArray[np.int64]) -> Floats:
        """The rate in force at each of some steps; before the first one, that of the first."""
        place = np.searchsorted(self.steps, steps, side="right") - 1
        found: Floats = self.values[np.maximum(place, 0)]
        return found


@dataclass(frozen=True, slots=True)
class Parameter:
    """A tensor that is trained, or that could be.

    Attributes:
        name: As `named_parameters()` has it, behind the name of its model if there are several models.
        shape: Its shape.
        dtype: Such as `float32`.
        trainable: Whether it requires a gradient.
        optimizer: Number of the optimizer that holds it; -1 for none.
        module: Path of the module it belongs to.
        kind: Class of that module, such as `Linear`; `Tensor` for a tensor that a module keeps without
            registering it; empty for a tensor of no module.
        used: Whether its module was called in a forward pass that was seen; bare tensors count as used.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    optimizer: int
    module: str
    kind: str
    used: bool

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """An optimizer: its class, and the settings of its first group (`lr`, `momentum`, `betas`, …)."""

    kind: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Activation:
    """What an activation did with its inputs on one pass.

    Attributes:
        operation: Index in the pass's topology.
        units: How many features it has.
        flat: For each unit, whether its slope was zero (or as good as) on every input seen.
        entries: How many inputs of each unit were seen.
        flat_share: Share of all entries where the slope is below a twentieth of its greatest value.
        rms: Root mean square of its outputs.
        varied: Deviation of its outputs from one example to the next, over `rms`: 0 where all are the same.
        dormant: Share of units whose mean size is at most a tenth of the layer's.
    """

    operation: int
    units: int
    flat: NDArray[np.bool_]
    entries: int
    flat_share: float
    rms: float
    varied: float
    dormant: float


@dataclass(frozen=True, slots=True)
class InputScale:
    """Data that enters the network at a matrix product or convolution.

    Attributes:
        operation: Index in the pass's topology.
        shape: Of the whole tensor, the batch first.
        mean, rms, low, high: Over all entries looked at.
        spread_low, spread_high: The 10th and 90th percentile of the features' standard deviations,
            constant features left out; equal where there is one.
        constant: Share of features that never change.
    """

    operation: int
    shape: tuple[int, ...]
    mean: float
    rms: float
    low: float
    high: float
    spread_low: float
    spread_high: float
    constant: float


@dataclass(frozen=True, slots=True)
class Target:
    """What the loss compares the output with.

    Attributes:
        operation: Index of the loss operation.
        shape: Of the target as the loss saw it.
        broadcast: Whether it was broadcast to that shape.
        counts: For class targets, how many of each class were in the batch; empty otherwise.
        mean, variance: For other targets; the variance over the batch, averaged over the rest.
        times: How many times the operation's mean over the entries the loss is, before a gradient scaler multiplied
            it: 1 for a mean; `nan` where other terms enter as well, or entries that count differently for no class.
        weights: What each class counts, or a target of 0 and one of 1; empty where all count the same.
        normalised: For the negative log-likelihood, the mean of log Σ exp over classes: 0 for log-probabilities.
        offset: What is added to that, a number that no gradient goes to.
        smoothed: Share of each target that is spread evenly over all classes (label smoothing).
        alone: For numbers, the mean loss over the batch of the best constant answer to it; `nan` where not known.
        low, high: Smallest and largest entry.
        summed: Whether the loss operation sums over the batch instead of averaging.
        varied: Deviation of the output from one example to the next, over its root mean square; `nan` if not known.
        past_unit, past_tanh, past_zero: Mean squared distance of the entries to [0, 1], to [-1, 1], to [0, ∞).
        least, most: Bounds that the output was clamped to before it came to the loss; `nan` where it was not.
        past_ends: Mean squared distance of the entries to these.
        hits: Of each class, how many of the batch are answered right; of two where the targets are all 0 or 1.
    """

    operation: int
    shape: tuple[int, ...]
    broadcast: bool
    counts: tuple[int, ...]
    mean: float
    variance: float
    normalised: float
    times: float
    weights: tuple[float, ...] = ()
    offset: float = 0.0
    smoothed: float = 0.0
    alone: float = nan
    low: float = nan
    high: float = nan
    summed: bool = False
    varied: float = nan
    past_unit: float = 0.0
    past_tanh: float = 0.0
    past_zero: float = 0.0
    least: float = nan
    most: float = nan
    past_ends: float = 0.0
    hits: tuple[int, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the loss is this operation's mean (or sum) and nothing else, each of a class counting the same."""
        return not isnan(self.times + self.offset)


@dataclass(frozen=True, slots=True)
class LossHead:
    """The operations between the loss and the last one that has parameters.

    Attributes:
        operations: Their indices.
        softmax_sizes: For each softmax or log-softmax among them, how many classes it runs over.
    """

    operations: tuple[int, ...]
    softmax_sizes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Probed:
    """What is measured of a pass besides its norms; most of it not on every pass."""

    head: LossHead
    target: Target | None = None
    activations: Sequence[Activation] = ()
    inputs: Sequence[InputScale] = ()
    conditions: Conditions | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """One backward pass that was observed in full.

    Attributes:
        step: Optimizer steps made before it.
        site: Number of the place that started it.
        loss: Unscaled; `nan` for a pass that did not start from one number.
        flow: Its norms, with the graph.
        head: The loss head.
        target: What the loss was compared with, where the loss operation is one that is known.
        activations, inputs: What was probed; not on every pass.
        conditions: What it ran under; `None` where it was not probed.
    """

    step: int
    site: int
    loss: float
    flow: Flow = field(repr=False)
    head: LossHead
    target: Target | None
    activations: Sequence[Activation] = field(repr=False)
    inputs: Sequence[InputScale] = field(repr=False)
    conditions: Conditions | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once: `kind` is a short word, `facts` are its particulars.

    Kinds: `birth` (a non-finite value), `cut` (a value that left the graph), `frozen` (parameters without a gradient
    that look as they were made), `loaders` and
    `tensors` (of data, that the user's code holds), `compiled`, `checkpointed`,
    `exception`, `interrupted`, `fault` (of Undertow's own), `no-backward`.
    """

    step: int
    kind: str
    facts: Mapping[str, Any]
