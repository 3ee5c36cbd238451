"""Faults of what the loss is made of: its sign, its sum, and an output that does not look at the input."""

from __future__ import annotations

import math

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.checks.head import VIEWS, below, distinct
from undertow.diagnose.checks.rates import oversized
from undertow.diagnose.checks.scales import runaway_scale
from undertow.diagnose.course import bottomless
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass

__all__: list[str] = []

LINEAR = ("Div", "Mean", "Mul", "Neg", "Sum")
NOT_NEGATIVE = (
    "BinaryCrossEntropyBackward0",
    "BinaryCrossEntropyWithLogitsBackward0",
    "HuberLossBackward0",
    "MseLossBackward0",
    "NllLoss2DBackward0",
    "NllLossBackward0",
    "SmoothL1LossBackward0",
)
"""Losses that are never below 0: the negative log-likelihood, where a log-softmax stands before it."""

NEVER_ABOVE_ZERO = ("LogSigmoidBackward0", "LogSoftmaxBackward0")
"""Logarithms of probabilities."""

SIGNED = ("Add", "Gather", "Index", "Mean", "Neg", "Select", "Squeeze", "Sub", "Sum", "View")
"""Operations through which a sign can be followed."""

BLIND = 1e-3
"""Deviation of the outputs from one example to the next, over their root mean square."""

SUMS = ("SumBackward0", "SumBackward1")

CLIMBS = 0.8
"""Share of the observed steps from which on the weights count as moved uphill, as where a likelihood is maximised."""


def _chain(observed: Pass) -> list[int]:
    """The operations from the loss down to the first that is not linear in one thing."""
    topology = observed.flow.topology
    if len(topology.roots) != 1:
        return []
    chain = [topology.roots[0][0]]
    while topology.operations[chain[-1]].name.startswith(LINEAR):
        following = [edge.receiver for edge in topology.edges if edge.sender == chain[-1]]
        if len(following) != 1:
            break
        chain.append(following[0])
    return chain


def _never_negative(observed: Pass, index: int) -> bool:
    names = [op.name for op in observed.flow.topology.operations]
    if names[index] not in NOT_NEGATIVE:
        return False
    below = {names[e.receiver] for e in observed.flow.topology.edges if e.sender == index}
    return not names[index].startswith("Nll") or "LogSoftmaxBackward0" in below


@diagnosis(
    "UT409",
    "loss-maximised",
    act="backward",
    message="{how}: training makes the loss larger",
    advice="{remedy}",
    source="by definition: a step against the gradient makes the loss smaller",
)
def loss_maximised(case: Case) -> Found:
    """Training that climbs where it should descend.

    ## What it means
    The loss was given the wrong sign, or the step goes with the gradient instead of against it. A loss that is never
    below 0 has a value below 0 where the backward pass starts; a logarithm of probabilities enters with a plus; the
    logarithm of a scale is added where a density takes it off; the loss falls below 0 faster and faster; or the change
    of the weights points uphill, step after step.

    ## When it is harmless
    In adversarial training, where one of several optimizers is meant to climb: this is not reported.

    ## What to do
    Remove the minus.
    """
    if len(case.run.optimizers) > 1 or len(case.run.sites) > 1:
        return
    climbing = _climbing(case)
    sound = _past_range(case) or climbing >= CLIMBS or any(o.settings.get("maximize") for o in case.run.optimizers)
    for observed in () if sound else case.passes:
        chain = _chain(observed)
        if chain and _never_negative(observed, chain[-1]) and observed.loss < 0:
            name = observed.flow.topology.operations[chain[-1]].name.removesuffix("Backward0")
            yield case.place(observed, chain[0]) | {
                "how": f"{name} is never below 0, and the backward pass starts from {observed.loss:.3g}",
                "remedy": "Remove the minus before the loss.",
                "harm": 0.95,
            }
            return
    for observed in () if sound else case.passes:
        if observed.loss < 0 and (climbed := _subtracted(observed)):
            name = observed.flow.topology.operations[climbed[0]].name.removesuffix("Backward0")
            logarithm = name + "Backward0" in NEVER_ABOVE_ZERO
            yield case.place(observed, climbed[0]) | {
                "how": f"{name} is never {'above' if logarithm else 'below'} 0, "
                f"and enters a loss of {observed.loss:.3g} with a {'plus' if logarithm else 'minus'}",
                "remedy": "Turn the sign of the loss round.",
                "harm": 0.95,
            }
            return
    for observed in () if sound else distinct(case):
        if (power := runaway_scale(observed)) is not None:
            yield case.place(observed, power) | {
                "how": "an exponential multiplies what is squared, and its exponent is added to the loss as well: "
                "both fall without end as it does",
                "remedy": "Take the logarithm of the scale off, as a density does, or turn its sign in the exponent.",
                "harm": 0.9,
            }
            return
    if bottomless(case.losses()):
        yield {
            "how": f"the loss has fallen to {case.outcome.last:.3g}, faster and faster: it has no lower end",
            "remedy": "Look at its sign, and at what keeps each of its terms from below: a distance that enters with a "
            "minus, or scores where probabilities belong.",
            "harm": 0.85,
        }
        return
    if (
        climbing >= CLIMBS
        and case.failed
        and any(c and _never_negative(p, c[-1]) for p in case.passes for c in [_chain(p)])
    ):
        yield {
            "how": f"on {climbing:.0%} of the observed steps the weights moved uphill",
            "remedy": "Step against the gradient: subtract it, and leave maximize=False.",
            "share": climbing,
            "harm": 0.95,
        }


def _subtracted(observed: Pass) -> list[int]:
    """The losses of the head that enter with the sign that makes them worse, where each sign is known.

    That is a minus, or a plus for the logarithm of a probability.
    """
    signs = dict[int, int]()
    stack = [(root, 1) for root, _ in observed.flow.topology.roots]
    while stack:
        index, sign = stack.pop()
        name = observed.flow.topology.operations[index].name
        if _never_negative(observed, index) or name in NEVER_ABOVE_ZERO:
            signs[index] = -sign if name in NEVER_ABOVE_ZERO else sign
        elif name.startswith(SIGNED) or _scaled(observed, index):
            for edge in observed.flow.topology.edges:
                if edge.sender == index:
                    flips = name.startswith("Neg") or (name.startswith("Sub") and edge.position == 1)
                    stack.append((edge.receiver, -sign if flips else sign))
    names = [operation.name for operation in observed.flow.topology.operations]
    within = {j for i in signs for j in below(observed, i)}  # the log-softmax of a likelihood has been counted with it
    bounded = [i for i in observed.head.operations if _never_negative(observed, i) or names[i] in NEVER_ABOVE_ZERO]
    known = all(index in signs or index in within for index in bounded)
    return sorted(signs) if known and all(sign < 0 for sign in signs.values()) else []


def _scaled(observed: Pass, index: int) -> bool:
    """Whether a loss is multiplied or divided by a number here, as by the passes that a step is made of.

    The number is taken for a positive one: a negative one before all that is never below 0 would show in the loss.
    """
    operation = observed.flow.topology.operations[index]
    inputs = sum(edge.sender == index for edge in observed.flow.topology.edges)
    return operation.name.startswith(("Div", "Mul")) and operation.shapes[0] == () and inputs == 1


def _past_range(case: Case) -> bool:
    """Whether a binary cross-entropy is below 0 because its targets are no probabilities."""
    targets = [(p, p.target) for p in case.passes if p.target is not None]
    binary = [t for p, t in targets if p.flow.topology.operations[t.operation].name.startswith("BinaryCross")]
    return any(t.low < 0 or t.high > 1 for t in binary)


def _climbing(case: Case) -> float:
    """Share of the observed steps on which a typical weight moved along its gradient."""
    weights = np.array(case.weights, dtype=np.int64)
    angles = [u.angle[weights] for u in case.finite_updates]
    angles = [a[np.isfinite(a)] for a in angles if np.isfinite(a).any()]
    if len(angles) < 2:
        return 0.0
    return float(np.mean([np.median(a) > 0.6 * math.pi for a in angles]))


@diagnosis(
    "UT407",
    "summed-loss",
    message="the loss is a sum over {rows} numbers{where_summed}, and the step is {extent} of a typical weight matrix: "
    "it is as many times as large as for a mean",
    advice="Use the mean (reduction='mean'), or divide the learning rate by the number of examples.",
    source="Goyal et al. 2017, Accurate, Large Minibatch SGD, arXiv:1706.02677, section 2",
)
def summed_loss(case: Case) -> Found:
    """A sum over the batch, with a learning rate that is meant for a mean.

    ## What it means
    The gradient of a sum over N examples is N times that of their mean, and so is the step.

    ## When it is harmless
    With optimizers that divide by the gradient's own size, and with a rate chosen for a sum: it is reported only
    where the steps are too large.

    ## What to do
    Average.
    """
    if case.scale_free or not case.passes:
        return
    observed = case.passes[0]
    rows, index = _summed(observed)
    too_large = oversized(case) if rows >= 4 else None
    if too_large is None:
        return
    yield case.place(observed, index) | {
        "rows": rows,
        "where_summed": "",
        "ratio": too_large["ratio"],
        "extent": f"{too_large['ratio']:.3g} times the size",
        "onset": "start",
        "harm": case.harm(0.94, 0.4, 0.1, 0.6),
    }


def _summed(observed: Pass) -> tuple[int, int]:
    """Over how many numbers the loss is a plain sum, and at which operation; 0 where it is none."""
    topology = observed.flow.topology
    chain = _chain(observed)
    names = [topology.operations[index].name for index in chain]
    target = observed.target
    if target is not None and target.summed and chain and target.times >= 1 and _scaled(observed, chain[0]):
        return round(target.times), target.operation
    if not chain or any(name.startswith(("Div", "Mean", "Mul")) for name in names[:-1]):
        return 0, 0
    if target is not None and target.summed and (repeated := _repeated(observed, chain[-1], target.operation)):
        return math.prod(target.shape) * repeated, target.operation
    for index, name in zip(chain, names, strict=True):
        if name in SUMS:
            inner = next((e for e in topology.edges if e.sender == index), None)
            return (math.prod(topology.operations[inner.receiver].shapes[inner.slot]) if inner else 0), index
    return 0, 0


def _repeated(observed: Pass, top: int, read: int) -> int:
    """How many losses are added up here, all of them sums: made by the line of the one read, or read as well."""
    operations = observed.flow.topology.operations
    terms = [*below(observed, top, ADDED)] if operations[top].name == "AddBackward0" else [top]
    lines = {(operations[i].name, operations[i].source) for i in (*terms, read)}
    kinds = all(operations[i].name in NOT_NEGATIVE for i in terms) and read in terms
    return len(terms) if len(lines) == 1 or kinds else 0


ADDED = VIEWS | {"AddBackward0"}


@diagnosis(
    "UT406",
    "output-ignores-input",
    message="the outputs for different examples differ by {varied:.1e} of their size at step {step}: "
    "whatever it is shown, the network answers the same",
    advice="Follow the examples through the network: at which layer do they become the same?",
    source="Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, arXiv:1611.01232",
)
def output_ignores_input(case: Case) -> Found:
    """An output that is the same for every example.

    ## What it means
    Whatever differs between the examples does not reach the output, so the loss depends on biases alone. What cuts
    it off is often found as well: dead units, constant inputs, a collapsed representation.

    ## When it is harmless
    At the start, with a last layer that is initialised to zero: it is looked for at the end.

    ## What to do
    Look at the activations of two different examples, layer by layer.
    """
    seen = [(p, p.target) for p in case.late if p.target is not None and math.isfinite(p.target.varied)]
    stays = case.failed or case.outcome.kind == "falling"
    if not seen or not stays or any(t.varied > BLIND for _, t in seen):
        return
    observed, target = seen[-1]
    if target.shape and target.shape[0] < 2:
        return
    yield {"varied": target.varied, "step": observed.step, "onset": "later", "harm": 0.8}
