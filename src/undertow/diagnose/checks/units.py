"""Faults of units: dead, dormant, or the same for every example."""

from __future__ import annotations

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.checks.probed import later, layers, onsets, probed
from undertow.diagnose.checks.together import pooled, pulled_together
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Activation, Pass

__all__: list[str] = []

RECTIFIERS = frozenset({"ReluBackward0", "ThresholdBackward0"})
CLAMPS = frozenset({"ClampBackward1", "ClampMinBackward0"})
"""From 0 on, or they are not probed: rectifiers, except in a loss, where they are hinges."""

DEAD = 0.9
"""Share of a layer's units: with fewer dead, what is left of it can still learn."""


@diagnosis(
    "UT201",
    "dead-units",
    message="{dead} of {units} units of {where} were zero on all {inputs} inputs seen "
    "(95 %: each fires on fewer than {rarity:.1e} of inputs)",
    advice="{remedy}",
    source="Lu, Shin, Su & Karniadakis 2019, arXiv:1903.06733",
)
def dead_units(case: Case) -> Found:
    """Units behind a rectifier that no input switches on.

    ## What it means
    The gradient of such a unit is exactly 0, so training cannot revive it. Where nearly all of a layer is dead,
    nothing before it learns either.

    ## When it is harmless
    In a layer far wider than its task needs, or when the inputs seen are few: the message says how rare a live
    unit would have to be to look dead here. Half the units being off for a given input is normal.

    ## What to do
    If they were dead from the start, initialise weights and biases so that half the inputs pass; if they died
    in training, lower the learning rate or warm up.
    """
    for onset, passes in onsets(case):
        worst = _deadest(passes)
        if worst is None:
            continue
        observed, activation, dead, inputs = worst
        share = float(dead.mean())
        if share < DEAD or (onset == "start" and not _stays(case, observed, activation)):
            continue
        yield case.place(observed, activation.operation) | {
            "dead": int(dead.sum()),
            "units": activation.units,
            "inputs": inputs,
            "rarity": 3.0 / max(1, inputs),
            "share": share,
            "onset": onset,
            "remedy": "Initialise weights and biases so that about half the inputs pass each unit."
            if onset == "start"
            else "Lower the learning rate, or warm up: they died during training.",
            "harm": case.harm(1.0, 0.5, 0.2, 0.6),
        }
        return


def _deadest(passes: list[Pass]) -> tuple[Pass, Activation, np.ndarray, int] | None:
    """The layer with the largest share of units that were off on every one of these passes."""
    found: dict[tuple[int, int], tuple[Pass, Activation, np.ndarray, int]] = {}
    for observed, activation in layers(passes, RECTIFIERS | CLAMPS):
        if _is_hinge(observed, activation):
            continue
        key = (id(observed.flow.plan), activation.operation)
        dead, inputs = activation.flat, activation.entries
        if key in found and len(found[key][2]) == len(dead):
            dead, inputs = dead & found[key][2], inputs + found[key][3]
        found[key] = (observed, activation, dead, inputs)
    return max(found.values(), key=lambda item: float(item[2].mean()), default=None)


def _is_hinge(observed: Pass, activation: Activation) -> bool:
    index = activation.operation
    return index in observed.head.operations and observed.flow.topology.operations[index].name in CLAMPS


def _stays(case: Case, observed: Pass, activation: Activation) -> bool:
    """Whether the same layer is still as dead at the end, as far as that was seen."""
    ends = [a.flat.mean() for a in later(case, observed, activation)]
    return not ends or float(ends[-1]) >= DEAD


ALIKE = 1e-3
"""Deviation of a layer's outputs from one example to the next, over their root mean square."""


@diagnosis(
    "UT205",
    "collapsed-representation",
    message="{how}",
    advice="Make the initial weights larger or the biases smaller, add skip connections or normalisation, "
    "and look at what the inputs have in common; where a loss only pulls together, add what pushes apart.",
    source="Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, Deep Information Propagation, arXiv:1611.01232",
)
def collapsed_representation(case: Case) -> Found:
    """A layer behind which all examples look the same.

    ## What it means
    Each layer can bring examples nearer to each other. Where what is common to them outweighs what differs a
    thousand times, the layers behind it learn the common part alone. Named is the first layer where it is so.

    A mean over the batch that is handed to each example does the same at once; and a loss that only asks two outputs
    of the same weights to agree is least where all are one point. Both are read off the graph.

    ## When it is harmless
    Where the loss falls: it is not reported then.

    ## What to do
    Weights of the right scale for the depth, skip connections, normalisation; smaller biases.
    """
    if found := next(filter(None, (pooled(p) for p in case.passes if p.inputs)), None):
        observed, index = found
        yield case.place(observed, index) | {
            "how": f"the outputs of {case.module_of(observed, index) or 'the model'} are taken over the batch, and "
            "handed to each of its examples: behind it all examples look the same",
            "onset": "start",
            "harm": case.harm(0.9, 0.8, 0.3),
        }
        return
    together = {pulled_together(p) for p in case.passes} if len(case.run.optimizers) == 1 else {None}
    if None not in together and len(case.run.sites) == 1 and case.passes:
        yield case.place(case.passes[-1], max(i for i in together if i is not None)) | {
            "how": "the loss only asks two outputs of the same weights to agree: its least value is had by answering "
            "the same whatever is shown, and nothing keeps the network from it",
            "onset": "start",
            "harm": 0.75,
        }
        return
    for onset, passes in onsets(case):
        layers = [(p, a) for p in passes[-1:] for a in p.activations if _examples(p, a) > 1 and a.rms > 0]
        collapsed = [(p, a) for p, a in layers if a.varied < ALIKE]
        if not case.failed or not collapsed or (onset == "start" and not case.late):
            continue
        observed, activation = max(collapsed, key=lambda item: item[1].operation)
        earlier = [a.varied for _, a in layers if a.operation > activation.operation]
        before = f", and {earlier[-1]:.1e} one layer before" if earlier else ""
        yield case.place(observed, activation.operation) | {
            "varied": activation.varied,
            "how": f"the outputs of {case.module_of(observed, activation.operation) or 'the model'} differ by "
            f"{activation.varied:.1e} of their size from one example to the next{before}: "
            "behind it all examples look the same",
            "onset": onset,
            "harm": 0.75,
        }
        return


def _examples(observed: Pass, activation: Activation) -> int:
    return observed.flow.topology.operations[activation.operation].shapes[0][0]


@diagnosis(
    "UT204",
    "dormant-units",
    message="{share:.0%} of the {units} units of {where} are, on average, a tenth as active as the layer or less",
    advice="Lower the learning rate, or set the dormant units anew (ReDo); a smaller layer would do the same.",
    source="Sokar, Agarwal, Castro & Evci 2023, The Dormant Neuron Phenomenon, arXiv:2302.12902",
)
def dormant_units(case: Case) -> Found:
    """Units that are hardly active beside the others of their layer.

    ## What it means
    The layer is as expressive as the few that are active. Mean size over inputs is compared with the layer's mean;
    a tenth and less counts as dormant.

    ## When it is harmless
    In wide layers, and wherever the loss falls (a remark).

    ## What to do
    Lower the rate; reinitialise the units.
    """
    last = [(p, a) for p, a in layers(probed(case.late)[-1:], RECTIFIERS) if a.units >= 8]
    if not last:
        return
    observed, activation = max(last, key=lambda item: item[1].dormant)
    if activation.dormant < DEAD:
        return
    yield case.place(observed, activation.operation) | {
        "share": activation.dormant,
        "units": activation.units,
        "onset": "later",
        "harm": case.harm(0.55, 0.3, 0.1),
    }
