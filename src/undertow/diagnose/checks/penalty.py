"""How hard a penalty that is added up in the loss pulls at the weights, against what the data ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.checks.head import by_graph
from undertow.engine.flow import Flow
from undertow.store import Pass

__all__ = ["Penalty", "penalties"]

SIZES = ("AbsBackward0", "LinalgVectorNormBackward0", "MulBackward0", "NormBackward1", "PowBackward0")
"""What is added up over the entries of a weight, to penalise their size; a product is one of the weight with itself."""


@dataclass(frozen=True, slots=True)
class Penalty:
    """What a penalty did at an observed pass.

    Attributes:
        pull: How many times as strong its gradient is as that of the data, for a typical weight.
        costs: By how much it would grow, to first order, with weights e times as long.
        fit: What is left of the loss without it, were it a sum of squares.
    """

    pull: float
    costs: float
    fit: float


def penalties(case: Case) -> list[Penalty]:
    """Of each observed pass whose loss has a penalty.

    Gradients are the contributions of the weight's uses, as they were summed; those of the data are added by their
    norms, which is the most that they can come to.
    """
    penal = {id(passes[0].flow.plan): _penal_edges(passes[0].flow) for passes in by_graph(case.passes)}
    seen = [(observed, penal[id(observed.flow.plan)]) for observed in case.passes]
    found = [_penalty(case, observed, edges) for observed, edges in seen if edges]
    return [penalty for penalty in found if penalty is not None]


def _penal_edges(flow: Flow) -> set[int]:
    """The edges along which a weight is handed its penalty."""
    topology = flow.topology
    leading = [(edge, i) for i, op in enumerate(topology.operations) if op.leaf for edge in flow.arriving[i]]
    return {edge for edge, _ in leading if _penal(flow, topology.edges[edge].sender)}


def _penalty(case: Case, observed: Pass, penal: set[int]) -> Penalty | None:
    flow, norms = observed.flow, case.weight_norms(observed.step)
    ratios, costs = [], 0.0
    for index, operation in enumerate(flow.topology.operations):
        edges = flow.arriving[index] if operation.leaf else ()
        data, size = (sum(flow.contributions[e] for e in edges if (e in penal) == of) for of in (False, True))
        costs += size * norms.get(operation.leaf, 0.0)
        if not penal.isdisjoint(edges) and data > 0 and len(operation.shapes[0]) > 1:
            ratios.append(size / data)
    return Penalty(float(np.median(ratios)), costs, observed.loss - costs / 2) if ratios else None


def _penal(flow: Flow, index: int) -> bool:
    """Whether this is the size of a weight's entries, summed, and on its way to the loss a single number throughout."""
    topology = flow.topology
    if topology.operations[index].name not in SIZES:
        return False
    if len({e.receiver for e in topology.edges if e.sender == index}) > 1:
        return False
    above = [edge.sender for edge in topology.edges if edge.receiver == index]
    while above:
        if len(above) > 1 or any(topology.operations[i].shapes != ((),) for i in above):
            return False
        above = [edge.sender for edge in topology.edges if edge.receiver == above[0]]
    return True
