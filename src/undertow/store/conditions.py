"""The conditions that an observed backward pass ran under: modes of layers, attention, symmetry, the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Attention", "Batch", "BatchNorm", "Conditions", "Dropout", "LookedUp", "SoftTargets", "TinyNorm"]


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """A batch normalisation.

    Attributes:
        operation: Index in the pass's topology.
        training: Whether it used the statistics of the batch; otherwise its running ones.
        entries: How many numbers each statistic is taken over.
        untouched: Whether its running statistics are still 0 and 1, so that using them normalises nothing.
    """

    operation: int
    training: bool
    entries: int
    untouched: bool


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Numbers that are looked up in an embedding.

    Attributes:
        operation: Index in the pass's topology.
        rows: How many examples they are for.
        low, high: The smallest and the largest.
        alike: Whether they are the same for all examples, or one and the same number wherever they are not padding.
    """

    operation: int
    rows: int
    low: int
    high: int
    alike: bool


@dataclass(frozen=True, slots=True)
class SoftTargets:
    """Targets that the logarithm of a softmax is multiplied by, several of them not 0 in an example.

    Attributes:
        operation: Index of the multiplication in the pass's topology.
        low, high: The smallest and the largest.
    """

    operation: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TinyNorm:
    """A normalisation by the mean and deviation of one or two numbers, of what it is given alone: no size passes.

    Attributes:
        operation: Index in the pass's topology.
        kind: `layer`, `group`, or `instance` (also a batch normalisation that keeps no running statistics).
        entries: How many numbers each statistic is taken over.
    """

    operation: int
    kind: str
    entries: int


@dataclass(frozen=True, slots=True)
class Dropout:
    """A dropout, of a module or a function, and the share of entries (0 to 1) that it lets through."""

    operation: int
    kept: float


@dataclass(frozen=True, slots=True)
class Attention:
    """How an attention spreads, at the last query of each head.

    Attributes:
        operation: Index in the pass's topology.
        keys: How many keys there are.
        entropy: Mean entropy over the logarithm of the keys: 1 for uniform, 0 where one key takes all.
        settled: Share of heads and examples where one key, or several that score the same, take at least 99.9 %.
    """

    operation: int
    keys: int
    entropy: float
    settled: float


@dataclass(frozen=True, slots=True)
class Batch:
    """The data of a pass.

    Attributes:
        mark: A fingerprint: the same data give the same one.
        rows: How many examples it has.
        held: How many examples the tensor holds that it was cut from; `rows` where it stands alone.
        drawn: Whether it was made since the last look, and what was looked at then is gone: drawn step by step.
        width: How many numbers an example has.
        asked: How many its target has, where that was drawn in the same way; 0 elsewhere.
    """

    mark: int
    rows: int
    held: int
    drawn: bool = False
    width: int = 0
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Conditions:
    """What else was noted of a pass.

    Attributes:
        norms, dropouts, attentions, tiny, looked_up: Those of its graph.
        alike: Leaves whose units are alike up to rounding, as far as was looked: each row (or column) the same.
        resting: How many modules of each class that acts differently in eval mode are in it.
        batch: The data, as far as they enter where that is seen.
        scaled: Operations that multiply or divide by one number.
        soft: Targets that are no class each.
    """

    norms: Sequence[BatchNorm] = ()
    dropouts: Sequence[Dropout] = ()
    attentions: Sequence[Attention] = ()
    alike: Sequence[int] = ()
    resting: Mapping[str, int] = field(default_factory=dict)
    batch: Batch | None = None
    tiny: Sequence[TinyNorm] = ()
    looked_up: Sequence[LookedUp] = ()
    scaled: Sequence[int] = ()
    soft: Sequence[SoftTargets] = ()
