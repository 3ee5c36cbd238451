"""Faults of the targets: out of reach, out of range, constant, unequal, or of another size than the outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from undertow.diagnose.case import LITTLE, Case
from undertow.diagnose.chance import SQUARES
from undertow.diagnose.checks.head import VIEWS, below, names_in
from undertow.diagnose.checks.rates import JUMPED, oversized
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass, Target

__all__ = ["BINARY"]

COMPARISONS = ("Abs", "HuberLoss", "L1Loss", "MseLoss", "Mul", "Pow", "SmoothL1Loss")

RANGES = {
    "ReluBackward0": ("a ReLU", "0 and up", "past_zero"),
    "SigmoidBackward0": ("a sigmoid", "between 0 and 1", "past_unit"),
    "SoftmaxBackward0": ("a softmax", "between 0 and 1", "past_unit"),
    "TanhBackward0": ("a tanh", "between -1 and 1", "past_tanh"),
}
"""What a last activation is called, what it can say, and how far targets lie beyond that."""

SCALES = ("Add", "Div", "Mul", "Neg", "Rsub", "Sigmoid", "Sub", "Tanh")

OUT_OF_REACH = 0.3
"""Share of the targets' variance that no output can reach."""

LARGE = 10.0

BINARY = ("BinaryCrossEntropyBackward0", "BinaryCrossEntropyWithLogitsBackward0")
"""Losses of a probability each."""


def _targets(case: Case) -> list[tuple[Pass, Target]]:
    return [(p, p.target) for p in case.passes if p.target is not None]


def _compared(case: Case) -> list[tuple[Pass, Target]]:
    """Targets of numbers, that a loss compares outputs with by their distance."""
    return [(p, t) for p, t in _targets(case) if names_in(p)[t.operation].startswith(COMPARISONS) and not t.counts]


def _variance(targets: list[tuple[Pass, Target]]) -> float:
    """Of the targets, within batches and between them."""
    within = np.mean([t.variance for _, t in targets])
    return float(within + np.var([t.mean for _, t in targets]))


@diagnosis(
    "UT405",
    "bounded-output",
    message="the output comes from {squash} and lies {extent}, and the targets lie between {low:.3g} and {high:.3g}: "
    "{share:.0%} of their variance is out of reach",
    advice="Remove the {squash} from the output{at}, or bring the targets into its range.",
    source="by definition of the activation",
)
def bounded_output(case: Case) -> Found:
    """An output that cannot say what the targets ask for.

    ## What it means
    The last operation before a loss that measures distances is an activation with a bounded range, and targets lie
    outside it. The network can only push the activation to its end, where its slope is 0.

    ## When it is harmless
    Where few targets lie outside, and not far: then it is a remark, unless their distance is for sure more than a
    fifth of what a mean squared error comes to in the end: so much of it would be gone with another output.

    ## What to do
    End in a linear layer; or scale the targets into the range.
    """
    targets = _compared(case)
    if not targets:
        return
    observed, first = targets[0]
    squashes = {names_in(observed)[inner] for inner in _producers(observed, first.operation)}
    found = _range(squashes.pop(), first) if len(squashes) == 1 else None
    if found is None:
        return
    squash, extent, past = found
    variance = _variance(targets)
    share = float(np.mean([getattr(t, past) for _, t in targets])) / variance if variance > 0 else 0.0
    if share < 0.02:
        return
    place = case.place(observed, next(_producers(observed, first.operation)))
    yield place | {
        "squash": squash.split()[-1],
        "extent": extent,
        "low": min(t.low for _, t in targets),
        "high": max(t.high for _, t in targets),
        "share": min(share, 1.0),
        "harm": 0.93 if share >= OUT_OF_REACH else case.harm(0.7, 0.3, 0.6 if _costs(case, first, past) else 0.2),
    }


def _costs(case: Case, target: Target, past: str) -> bool:
    """Whether much of the loss at the end is what no output can reach, of a loss that is a mean squared distance.

    Give or take two standard errors, by how the batches that were seen differ.
    """
    compared = _compared(case)
    floors = np.array([getattr(t, past) for _, t in compared])
    squared = all(names_in(p)[t.operation].startswith(SQUARES) for p, t in compared)
    if target.times != 1 or not squared or len(floors) < 2:
        return False
    return bool(floors.mean() - 2 * floors.std(ddof=1) / math.sqrt(len(floors)) > GIVEN_AWAY * case.outcome.last)


GIVEN_AWAY = 0.2
"""Share of the loss at the end: with so much less of it, a training counts as better (tests/gallery/hurts.py)."""


def _range(name: str, target: Target) -> tuple[str, str, str] | None:
    """What a last activation is called, what it can say, and how far targets lie beyond that; `None` of any other."""
    if math.isnan(target.least):
        return RANGES.get(name)
    squash = "a scaled activation" if name.startswith(SCALES) else f"a {name.split('Backward')[0].lower()}"
    return squash, f"between {target.least:.3g} and {target.most:.3g}", "past_ends"


def _producers(observed: Pass, index: int) -> Iterator[int]:
    return below(observed, index, VIEWS | {"GatherBackward0", "SubBackward0"})


@diagnosis(
    "UT503",
    "targets-out-of-range",
    message="{loss} expects targets from 0 to 1, and they lie between {low:.3g} and {high:.3g}: "
    "the loss has no lower end",
    advice="{remedy}",
    source="PyTorch documentation of BCELoss, BCEWithLogitsLoss and CrossEntropyLoss",
)
def targets_out_of_range(case: Case) -> Found:
    """Cross-entropy with targets that are no probabilities.

    ## What it means
    -t·log p - (1-t)·log(1-p) has a least value only for t from 0 to 1. Outside, it falls for ever as the output is
    driven to one end, and the network is taught to be sure whatever it sees. So does -Σ t·log p over classes where
    some t is below 0: scores that a teacher gave are no probabilities before a softmax.

    ## When it is harmless
    Where several classes an example are weighted by advantages, as in a policy gradient over all actions. Otherwise
    never; a loss that falls far below 0 is no success here.

    ## What to do
    Map the labels to 0 and 1; take the softmax of the scores.
    """
    for observed, target in _targets(case):
        name = names_in(observed)[target.operation]
        if name in BINARY and (target.low < -1e-3 or target.high > 1 + 1e-3):
            yield case.place(observed, target.operation) | {
                "loss": name.removesuffix("Backward0"),
                "low": target.low,
                "high": target.high,
                "remedy": "Bring the labels to 0 and 1 (labels of 1 and 2, of -1 and 1, and bytes of 0 to 255 are the "
                "usual ones).",
                "harm": 0.93,
            }
            return
    for observed, noted in case.noted:
        for soft in noted.soft:
            if soft.low < -1e-3:
                yield case.place(observed, soft.operation) | {
                    "loss": "a cross-entropy over classes",
                    "low": soft.low,
                    "high": soft.high,
                    "remedy": "Take the softmax of the scores that are the targets.",
                    "harm": 0.93,
                }
                return


@diagnosis(
    "UT508",
    "unscaled-targets",
    message="the targets lie between {low:.3g} and {high:.3g} (mean {mean:.3g}), and outputs begin at about 1",
    advice="Standardise the targets with the mean and deviation of the training set, and scale predictions back.",
    source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp",
)
def unscaled_targets(case: Case) -> Found:
    """Targets of a size that the network has far to go to.

    ## What it means
    A new network answers about 0. Where targets are hundreds, the loss and its gradient are huge at first: plain
    gradient descent diverges, and an optimizer that makes steps of fixed size needs as many as the targets are far.

    ## When it is harmless
    Where the loss falls all the same (a remark), unless the first steps threw it up, or all were too short for the way.

    ## What to do
    Standardise; or set the last bias to the targets' mean.
    """
    targets = _compared(case)
    if not targets:
        return
    mean = float(np.mean([t.mean for _, t in targets]))
    size = _size(targets)
    if not LARGE <= min(size, _size(targets[:FIRST])) < math.inf:
        return
    yield {
        "low": min(t.low for _, t in targets),
        "high": max(t.high for _, t in targets),
        "mean": mean,
        "rms": size,
        "onset": "start",
        "harm": case.harm(0.93, 0.3, 0.1, 0.6 if _thrown_off(case) or _far_to_go(case) else None),
    }


FIRST = 4
"""Passes whose targets the network was shown at first: those it makes itself may grow with it."""


def _size(targets: list[tuple[Pass, Target]]) -> float:
    """Their root mean square."""
    return math.sqrt(_variance(targets) + float(np.mean([t.mean for _, t in targets])) ** 2)


def _far_to_go(case: Case) -> bool:
    """Whether most of the way is left, and all steps together, each straight downhill, were too short for more."""
    early = case.learned_little or case.outcome.kind == "falling"
    return early and case.promised(0.0) < LITTLE * case.outcome.first


def _thrown_off(case: Case) -> bool:
    """Whether the first steps, made large by such targets, threw the loss up manifold."""
    facts = oversized(case)
    return facts is not None and facts["loss_jump"] >= JUMPED
