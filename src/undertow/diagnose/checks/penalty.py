"""How hard a penalty that is added up in the loss pulls at the weights, against what the data ask for."""

from __future__ import annotations

import math

import numpy as np

from undertow.diagnose.case import Case
from undertow.store import Pass

__all__ = ["penalty_pulls"]

SIZES = ("AbsBackward0", "LinalgVectorNormBackward0", "MulBackward0", "NormBackward1", "PowBackward0")
"""What is added up over the entries of a weight, to penalise their size; a product is one of the weight with itself."""


def penalty_pulls(case: Case) -> list[float]:
    """For each observed pass, how many times as strong the penalty's gradient is as that of the data, typically.

    Both are the contributions of the weight's uses to its gradient, as they were summed; those of the data are added
    by their norms, which is the most that they can come to.
    """
    return [pull for pull in (_pull(observed) for observed in case.passes) if math.isfinite(pull)]


def _pull(observed: Pass) -> float:
    flow, ratios = observed.flow, []
    for index, operation in enumerate(flow.topology.operations):
        edges = flow.arriving[index] if operation.leaf and operation.shapes and len(operation.shapes[0]) > 1 else ()
        penal = [edge for edge in edges if _penal(observed, flow.topology.edges[edge].sender)]
        data = sum(flow.contributions[edge] for edge in edges if edge not in penal)
        if penal and data > 0:
            ratios.append(sum(flow.contributions[edge] for edge in penal) / data)
    return float(np.median(ratios)) if ratios else math.nan


def _penal(observed: Pass, index: int) -> bool:
    """Whether this is the size of a weight's entries, summed, and on its way to the loss a single number throughout."""
    topology = observed.flow.topology
    if (
        topology.operations[index].name not in SIZES
        or len({e.receiver for e in topology.edges if e.sender == index}) > 1
    ):
        return False
    above = [edge.sender for edge in topology.edges if edge.receiver == index]
    while above:
        if len(above) > 1 or any(topology.operations[i].shapes != ((),) for i in above):
            return False
        above = [edge.sender for edge in topology.edges if edge.receiver == above[0]]
    return True
