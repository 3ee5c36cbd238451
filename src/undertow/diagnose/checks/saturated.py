"""Units on the flat part of a squash."""

from __future__ import annotations

from undertow.diagnose.case import Case
from undertow.diagnose.checks.probed import later, layers, onsets
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Activation, Pass

__all__: list[str] = []

SQUASHES = frozenset({"HardsigmoidBackward0", "HardtanhBackward0", "SigmoidBackward0", "TanhBackward0"})

SATURATED = 0.8
"""Share of a layer's entries on the flat part."""


@diagnosis(
    "UT202",
    "saturated-units",
    message="{share:.0%} of the outputs of {where} lie on the flat part of {operation}, "
    "where its slope is below a twentieth of the greatest{through}",
    advice="{remedy}",
    source="Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks",
)
def saturated_units(case: Case) -> Found:
    """Sigmoid or tanh units driven so far that their slope is almost 0.

    ## What it means
    Each such unit multiplies the gradient by almost nothing, whatever the input.

    ## When it is harmless
    In gates and at an output that has learned to be sure of itself: where the loss falls, this is a remark. It is an
    alarm all the same where units other than gates were saturated before the first step, which nobody can have
    learned, and are to the end: what lies before them is hardly trained, and what is learned is what they let through.
    Of several layers one behind the other that is counted together: of the ways from the loss to a weight, how many
    lead through steep units alone.

    ## What to do
    Smaller initial weights, scaled inputs, or normalisation before the activation; if it came during training,
    a lower learning rate.
    """
    for onset, passes in onsets(case):
        inner = [(p, a) for p, a in layers(passes, SQUASHES) if a.operation not in p.head.operations]
        if not inner:
            continue
        observed, activation = max(inner, key=lambda item: item[1].flat_share)
        steep = _steep_ways(observed) if onset == "start" else 1.0
        behind = _stays_behind(case, observed, steep)
        if activation.flat_share < SATURATED and not behind:
            continue
        made = behind or (onset == "start" and _made_so(case, observed, activation))
        yield case.place(observed, activation.operation) | {
            "share": activation.flat_share,
            "units": activation.units,
            "onset": onset,
            "steep": steep,
            "through": f"; of the ways from the loss to the first layers {steep:.1%} lead through steep units alone"
            if behind
            else "",
            "remedy": "Make the initial weights smaller (Xavier), scale the inputs, or normalise before the activation."
            if onset == "start"
            else "Lower the learning rate: they saturated during training.",
            "harm": case.harm(0.95, 0.5, 0.6 if made else 0.2, 0.6),
        }
        return


GATES = ("Addcmul", "Lerp", "Mul", "Rsub", "Sub")
"""Operations that take the outputs of gates: what a gate lets through is a product."""


def _made_so(case: Case, observed: Pass, activation: Activation) -> bool:
    """Whether a layer that was saturated before the first step is no gate, and is saturated at the end as well."""
    ends = [a.flat_share for a in later(case, observed, activation)]
    return not _is_gate(observed, activation.operation) and bool(ends) and ends[-1] >= SATURATED


def _is_gate(observed: Pass, index: int) -> bool:
    topology = observed.flow.topology
    return any(e.receiver == index and topology.operations[e.sender].name.startswith(GATES) for e in topology.edges)


def _steep_ways(observed: Pass) -> float:
    """Of the ways from the loss to a weight matrix, the share that lead through steep units alone, at the least.

    Through layers one behind the other the shares multiply; where ways part and meet again, as around a residual
    branch, the best one counts, and of a weight that is used at many steps the nearest use.
    """
    topology = observed.flow.topology
    own = {a.operation: 1 - a.flat_share for _, a in layers([observed], SQUASHES)}
    own = {i: steep for i, steep in own.items() if i not in observed.head.operations and not _is_gate(observed, i)}
    best = {index: 1.0 for index, _ in topology.roots}
    for edge in topology.edges:
        if edge.sender in best:
            steep = best[edge.sender] * own.get(edge.receiver, 1.0)
            best[edge.receiver] = max(best.get(edge.receiver, 0.0), steep)
    operations = topology.operations
    return min((s for i, s in best.items() if operations[i].leaf and len(operations[i].shapes[0]) > 1), default=1.0)


def _stays_behind(case: Case, observed: Pass, steep: float) -> bool:
    """Whether as few ways lead to some weights at the end as before the first step."""
    ends = [p for p in case.late if p.activations and p.flow.plan is observed.flow.plan]
    return steep <= 1 - SATURATED and bool(ends) and _steep_ways(ends[-1]) <= 1 - SATURATED
