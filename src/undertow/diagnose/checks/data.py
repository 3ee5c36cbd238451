"""Faults of the data, as the network meets them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis
from undertow.store import InputScale, Pass

__all__: list[str] = []

LARGE = 10.0
"""Root mean square of the inputs: weights are made for 1."""

UNEQUAL = 100.0
"""Spread of the widest features over the narrowest."""


@diagnosis(
    "UT501",
    "unscaled-inputs",
    message="the inputs of {where} lie between {low:.3g} and {high:.3g} (root mean square {rms:.3g}){unequal}, "
    "and weights are made for about 1",
    advice="Standardise each feature to mean 0 and deviation 1 (for images: divide by 255), "
    "or begin with a normalisation layer.",
    source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp",
)
def unscaled_inputs(case: Case) -> Found:
    """Inputs of a size, or of sizes, that initial weights are not made for.

    ## What it means
    The first layer's outputs and gradients grow with its inputs: activations saturate or die, the steps of the
    first layer are far too large for it, and features of small scale are not heard beside those of large scale. Where
    no input is as large as a tenth, biases drown what tells the examples apart.

    ## When it is harmless
    Behind a normalisation layer (then it is not reported), and where the loss falls all the same (a remark).

    ## What to do
    Standardise, with the statistics of the training set.
    """
    scales = [(p, i) for p in case.passes[:4] for i in p.inputs if _is_data(p.head.operations, i)]
    if not scales:
        return
    observed, scale = max(scales, key=lambda item: _badness(item[1]))
    small = all(0 < _peak(i) < 1 / LARGE and i.constant < 1 for _, i in scales)
    if _badness(scale) < 1 and not small:
        return
    ratio = scale.spread_high / scale.spread_low if scale.spread_low > 0 else 1.0
    yield case.place(observed, scale.operation) | {
        "low": scale.low,
        "high": scale.high,
        "rms": scale.rms,
        "mean": scale.mean,
        "spread_ratio": ratio,
        "unequal": f", its features' spreads {ratio:.0f}-fold apart" if ratio > UNEQUAL else "",
        "harm": case.harm(0.8, 0.2, 0.1) if small else case.harm(0.95, 0.3, 0.1, 0.6),
    }


def _peak(scale: InputScale) -> float:
    return max(abs(scale.low), abs(scale.high))


def _is_data(head: tuple[int, ...], scale: InputScale) -> bool:
    return scale.operation not in head and len(scale.shape) > 1


def _badness(scale: InputScale) -> float:
    """1 at the threshold: too large altogether, or features far apart where some are large."""
    ratio = scale.spread_high / scale.spread_low if scale.spread_low > 0 else 1.0
    apart = ratio / UNEQUAL if scale.rms > 3 else 0.0
    return max(scale.rms / LARGE, apart)


@diagnosis(
    "UT502",
    "constant-inputs",
    message="the inputs of {where} are the same for all {rows} examples of a batch: nothing tells them apart",
    advice="Print two examples as they enter the network: a wrong column, a normalisation by the example's own "
    "largest value, an image read as zeros, or words of which the vocabulary knows none.",
    source="by definition: equal inputs have equal outputs",
)
def constant_inputs(case: Case) -> Found:
    """Inputs that never change.

    ## What it means
    Every feature has the same value in every example, so every output is the same as well, and the best that can be
    learned is how often each answer comes.

    ## When it is harmless
    Single features that never change (the border of an image) are harmless and not reported.

    ## What to do
    Follow the data from the file to the network.
    """
    entering = [(p, e) for p in case.passes for e in (*_numbers(p), *_words(p)) if _enter_here_alone(p) and e.rows > 1]
    if len({p.step for p, _ in entering}) < 2 or not all(e.alike for _, e in entering):
        return
    observed, first = entering[0]
    yield case.place(observed, first.operation) | {
        "rows": first.rows,
        "low": first.low,
        "high": first.high,
        "onset": "start",
        "harm": case.harm(0.96, 0.4, 0.1),
    }


class _Entering(NamedTuple):
    """Data, where they enter the network."""

    operation: int
    rows: int
    low: float
    high: float
    alike: bool


def _numbers(observed: Pass) -> Iterator[_Entering]:
    for scale in observed.inputs:
        if _is_data(observed.head.operations, scale):
            yield _Entering(scale.operation, scale.shape[0], scale.low, scale.high, scale.constant == 1)


def _words(observed: Pass) -> Iterator[_Entering]:
    for found in observed.conditions.looked_up if observed.conditions is not None else ():
        yield _Entering(found.operation, found.rows, found.low, found.high, found.alike)


ELSEWHERE = ("Cudnn", "GridSampler", "Gather", "Index", "MkldnnRnn")
"""Operations by which data enter where their scale is not looked at."""

BESIDE = ("Add", "Addc", "Bmm", "Cat", "Div", "Lerp", "Mm", "Mul", "Rsub", "Stack", "Sub", "Where")
"""Operations that may join data to what was looked up in an embedding."""


def _enter_here_alone(observed: Pass) -> bool:
    names = [op.name for op in observed.flow.topology.operations]
    if any(name.startswith(ELSEWHERE) for name in names):
        return False
    return not any(name.startswith("Embedding") for name in names) or not _joined(observed, names)


def _joined(observed: Pass, names: Sequence[str]) -> bool:
    """Whether something that takes no gradient is joined to a signal on its way: data, as far as can be seen."""
    known = {scale.operation for scale in observed.inputs} | {*observed.head.operations}
    if observed.conditions is not None:
        known |= {d.operation for d in observed.conditions.dropouts} | {*observed.conditions.scaled}
    taken = Counter(edge.sender for edge in observed.flow.topology.edges)
    beside = [i for i, name in enumerate(names) if name.startswith(BESIDE) and i not in known]
    return any(taken[i] < 2 or names[i].startswith(("Cat", "Stack", "Where", "Addc")) for i in beside)
