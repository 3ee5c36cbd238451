"""What the checks of the signal share: a trend over depth, and the account of what made it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from undertow.diagnose.case import Case
from undertow.engine.flow import Attribution
from undertow.store import Pass

__all__ = ["DECADES", "DECADES_STALLED", "account", "blame", "common_module", "moments", "slope"]

DECADES = 3.0
"""A first layer that is asked to move a thousand times less than the last one, relative to its size."""

DECADES_STALLED = 2.0
"""The same where the loss stands still as well; and growth at the first pass, where the loss came undone.

Measured on the gallery: of 41 networks whose rate alone is too high the first gradient grows by 1.5 at most, of 25
whose weights are too large by 2.9 at least. So it does, by 2 or more, in 13 of 587 healthy ones, which do not come
undone.
"""


def slope(points: list[tuple[int, float]]) -> tuple[float, float]:
    """Decades lost from the quarter nearest the loss to the quarter farthest from it, and how steady the trend is."""
    depth = np.array([d for d, _ in points], dtype=np.float64)
    scale = np.array([s for _, s in points], dtype=np.float64)
    quarter = max(1, len(points) // 4)
    lost = float(np.median(scale[:quarter]) - np.median(scale[-quarter:]))
    ranks = np.argsort(np.argsort(depth)), np.argsort(np.argsort(scale))
    steady = float(np.corrcoef(*ranks)[0, 1]) if len(points) > 2 and np.ptp(ranks[1]) else 0.0
    return lost, steady


def account(observed: Pass, attribution: Attribution) -> dict[str, object]:
    return {
        "decades": attribution.total,
        "step": observed.step,
        "by_operation": attribution.by_operation(),
        "by_module": dict([*attribution.by_module().items()][:12]),
        "by_source": dict([*attribution.by_source().items()][:12]),
    }


def blame(case: Case, observed: Pass, attribution: Attribution, sign: int) -> dict[str, str]:
    """The operation type that took (or brought) most decades, and where: one module, or what is around them all."""
    operations = observed.flow.topology.operations
    gains = attribution.gains
    sums: dict[str, float] = {}
    for index, decades in gains.items():
        sums[operations[index].name] = sums.get(operations[index].name, 0.0) + sign * decades
    name = max(sums, key=lambda key: sums[key])
    alike = [i for i in gains if operations[i].name == name and sign * gains[i] > 0]
    index = max(alike or [i for i in gains if operations[i].name == name], key=lambda i: sign * gains[i])
    module = case.module_of(observed, index)
    if sign * gains[index] < sums[name] / 2:
        module = common_module([case.module_of(observed, i) for i in alike]) or module
    return {"operation": name, "source": operations[index].source, "module": module}


def moments(case: Case) -> Iterator[tuple[str, Pass]]:
    for observed in case.early:
        yield "start", observed
    for observed in case.late[-3:]:
        yield "later", observed


def common_module(modules: list[str]) -> str:
    """The innermost module around all of these."""
    parts = [module.split(".") for module in modules]
    shared = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return ".".join(shared)
