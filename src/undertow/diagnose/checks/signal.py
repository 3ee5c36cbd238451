"""Faults of the signal on its way back: it vanishes, explodes, or is cut."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis
from undertow.engine.flow import Attribution
from undertow.store import Pass

__all__: list[str] = []

DECADES = 3.0
"""A first layer that is asked to move a thousand times less than the last one, relative to its size."""

DECADES_STALLED = 2.0
"""The same where the loss stands still as well."""

FEWEST = 4
"""Layers needed to speak of a trend over depth."""

ZERO_SLOPED = frozenset(
    {
        "CeilBackward0",
        "FloorBackward0",
        "RoundBackward0",
        "RoundBackward1",
        "SignBackward0",
        "SgnBackward0",
        "TruncBackward0",
    }
)
"""Steps and plateaus: their derivative is 0 wherever it exists."""


def _slope(points: list[tuple[int, float]]) -> tuple[float, float]:
    """Decades lost from the quarter nearest the loss to the quarter farthest from it, and how steady the trend is."""
    depth = np.array([d for d, _ in points], dtype=np.float64)
    scale = np.array([s for _, s in points], dtype=np.float64)
    quarter = max(1, len(points) // 4)
    lost = float(np.median(scale[:quarter]) - np.median(scale[-quarter:]))
    ranks = np.argsort(np.argsort(depth)), np.argsort(np.argsort(scale))
    steady = float(np.corrcoef(*ranks)[0, 1]) if len(points) > 2 and np.ptp(ranks[1]) else 0.0
    return lost, steady


def _trend(case: Case, observed: Pass) -> tuple[float, float, str] | None:
    """Decades lost over depth, steadiness, and the weakest weight."""
    scales = [item for item in case.relative_scales(observed) if math.isfinite(item[2])]
    if len({depth for _, depth, _ in scales}) < FEWEST:
        return None
    lost, steady = _slope([(depth, scale) for _, depth, scale in scales])
    return lost, steady, min(scales, key=lambda item: item[2])[0]


def _account(observed: Pass, attribution: Attribution) -> dict[str, object]:
    return {
        "decades": attribution.total,
        "step": observed.step,
        "by_operation": attribution.by_operation(),
        "by_module": dict([*attribution.by_module().items()][:12]),
        "by_source": dict([*attribution.by_source().items()][:12]),
    }


def _culprit(case: Case, observed: Pass, attribution: Attribution, sign: int) -> dict[str, str]:
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
        module = _common([case.module_of(observed, i) for i in alike]) or module
    return {"operation": name, "source": operations[index].source, "module": module}


@diagnosis(
    "UT101",
    "vanishing-gradient",
    message="the gradient of {weight} is {lost:.1f} decades (powers of ten) weaker than at the loss, "
    "relative to the weights; {operation} took {taken:.1f} decades on the way",
    advice="{remedy}",
    explains=("UT301", "UT302", "UT701"),
    source="Hochreiter 1991; Glorot & Bengio 2010; relative scale after Philipp, Song & Carbonell 2017, "
    "arXiv:1712.05577",
)
def vanishing_gradient(case: Case) -> Found:
    """The gradient loses its size on the way from the loss to the first layers.

    ## What it means
    The first layers are asked to move thousands of times less than the last ones, so they stay as they were
    made and the rest learns from noise. What is compared does not change when a layer is rescaled:
    ‖gradient‖ · ‖weight‖. The attribution says exactly which operations took how many decades (powers of ten).

    ## When it is harmless
    Optimizers that divide by the gradient's own size (Adam, RMSprop) can train through several decades: where
    the loss falls, this is a remark.

    ## What to do
    It depends on what took the decades: saturating activations (use ReLU-like ones), weights too small for the
    width (He or Xavier initialisation), depth without skips or normalisation (add them), many time steps (gates).
    """
    for onset, observed in _moments(case):
        found = _vanished(case, observed) or _forgotten(case, observed) or _silenced(case, observed)
        if found:
            yield found | {"onset": onset, "harm": case.harm(1.0, 0.6, 0.2, 0.6)}
            return


def _moments(case: Case) -> Iterator[tuple[str, Pass]]:
    for observed in case.early:
        yield "start", observed
    for observed in case.late[-3:]:
        yield "later", observed


def _vanished(case: Case, observed: Pass) -> dict[str, object] | None:
    trend = _trend(case, observed)
    enough = DECADES_STALLED if case.failed else DECADES
    if trend is None or trend[0] < enough or trend[1] > -0.6:
        return None
    lost, steady, weight = trend
    attribution = observed.flow.attribute(weight)
    culprit = _culprit(case, observed, attribution, -1)
    share = -attribution.by_operation().get(culprit["operation"], 0.0)
    facts = {
        "weight": weight,
        "lost": lost,
        "steadiness": steady,
        "taken": share,
        "remedy": _remedy(culprit["operation"]),
    }
    return {**culprit, **_account(observed, attribution), **facts}


SILENT = 5.0
"""Decades between the gradient at the network's output and what is left of it for every weight."""


def _silenced(case: Case, observed: Pass) -> dict[str, object] | None:
    """Every weight is asked to move next to nothing, though the output is asked to move: weights too small throughout.

    In a network of ReLUs ‖gradient‖ · ‖weight‖ is the same for all layers, so that no trend shows over depth.
    """
    flow = observed.flow
    head = [flow.cotangents[index] for index in observed.head.operations if flow.cotangents[index] > 0]
    scales = [item for item in case.relative_scales(observed) if math.isfinite(item[2])]
    if not case.failed or not head or len(scales) < FEWEST:
        return None
    lost = math.log10(min(head)) - max(scale for _, _, scale in scales)
    if lost < SILENT:
        return None
    weight = max(scales, key=lambda item: item[1])[0]
    attribution = flow.attribute(weight)
    culprit = _culprit(case, observed, attribution, -1)
    share = -attribution.by_operation().get(culprit["operation"], 0.0)
    facts = {"weight": weight, "lost": lost, "taken": share, "remedy": _remedy(culprit["operation"])}
    return {**culprit, **_account(observed, attribution), **facts}


def _forgotten(case: Case, observed: Pass) -> dict[str, object] | None:
    """A weight used at every time step, whose gradient comes from the last ones alone."""
    flow = observed.flow
    for index, operation in enumerate(flow.topology.operations):
        edges = flow.arriving[index]
        if not operation.leaf or len(operation.shapes[0]) < 2 or len(edges) < 8:
            continue
        sizes = [flow.contributions[edge] for edge in edges]
        if min(sizes[:3]) <= 0 or not all(map(math.isfinite, sizes)):
            continue
        logs = [math.log10(size) if size > 0 else -300.0 for size in sizes]
        lost, steady = _slope([*enumerate(logs)])
        if lost < DECADES + 1 or steady > -0.8:
            continue
        farthest = flow.topology.edges[max(e for e in edges if flow.contributions[e] > 0)].sender
        attribution = flow.attribute(farthest)
        culprit = _culprit(case, observed, attribution, -1)
        share = -attribution.by_operation().get(culprit["operation"], 0.0)
        facts = {"weight": operation.leaf, "lost": lost, "steadiness": steady, "taken": share, "uses": len(edges)}
        module = operation.leaf.rpartition(".")[0]
        remedy = "Use gates (LSTM, GRU), orthogonal recurrent weights, or shorter sequences."
        return {**culprit, **_account(observed, attribution), **facts, "module": module, "remedy": remedy}
    return None


def _remedy(operation: str) -> str:
    if operation in {"SigmoidBackward0", "TanhBackward0", "SoftsignBackward0", "HardsigmoidBackward0"}:
        return "Replace the saturating activations by ReLU-like ones, or add normalisation or skip connections."
    if operation in {"AddmmBackward0", "MmBackward0", "BmmBackward0", "ConvolutionBackward0"}:
        return (
            "Initialise the weights for the width (He for ReLU, Xavier for tanh), "
            "or add normalisation or skip connections."
        )
    return "Add skip connections or normalisation, so that the gradient has a way round what shrinks it."


@diagnosis(
    "UT102",
    "exploding-gradient",
    message="the gradient grows by {grown:.1f} decades (powers of ten) on its way from the loss to {weight}; "
    "{operation} brought {taken:.1f} of them",
    advice="Initialise the weights for the width (He, Xavier, orthogonal), add normalisation, "
    "or clip the gradient's norm.",
    explains=("UT201", "UT202", "UT301", "UT701", "UT801"),
    source="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063",
)
def exploding_gradient(case: Case) -> Found:
    """The gradient grows without bound on its way from the loss to the first layers.

    ## What it means
    Each layer multiplies the gradient by more than 1, so the first layers are asked for steps many times their
    own size. The loss jumps, and soon is not a number.

    ## When it is harmless
    With clipping or an adaptive optimizer a few decades can be lived with: where the loss falls, this is a remark.

    ## What to do
    Smaller initial weights, normalisation, clipping; for recurrent networks orthogonal weights or gates.
    """
    for onset, observed in _moments(case):
        found = _exploded(case, observed)
        if found:
            yield found | {"onset": onset, "harm": case.harm(1.0, 0.6, 0.2)}
            return


def _exploded(case: Case, observed: Pass) -> dict[str, object] | None:
    flow = observed.flow
    head = [flow.cotangents[index] for index in observed.head.operations if flow.cotangents[index] > 0]
    scales = [item for item in case.leaf_scales(observed) if item[2] > 0 and math.isfinite(item[2])]
    if not head or len(scales) < 2 or not all(map(math.isfinite, head)):
        return None
    weight, _, norm = max(scales, key=lambda item: item[2])
    attribution = flow.attribute(weight)
    products = sum(d for i, d in attribution.gains.items() if i not in observed.head.operations and d > 0)
    grown = math.log10(norm / max(head[-1], 1e-300))
    ratio = norm / max(case._weight_norms(observed.step).get(weight, math.inf), 1e-300)
    if grown < DECADES or products < DECADES or ratio < 1:
        return None
    culprit = _culprit(case, observed, attribution, +1)
    share = attribution.by_operation().get(culprit["operation"], 0.0)
    facts = {"weight": weight, "grown": grown, "taken": share, "gradient_over_weight": ratio}
    return {**culprit, **_account(observed, attribution), **facts}


@diagnosis(
    "UT103",
    "cut-gradient",
    message="{count} trained parameters of {where} get no gradient: {how}{at}",
    advice="Keep the value a tensor of the graph at that line; where the cut is meant, take these parameters "
    "out of the optimizer or freeze them.",
    explains=("UT101", "UT302", "UT304", "UT701"),
    source="PyTorch documentation, Autograd mechanics",
)
def cut_gradient(case: Case) -> Found:
    """Parameters that were used in the forward pass, and that no gradient reaches.

    ## What it means
    Somewhere between them and the loss the value left the graph (detach, no_grad, .data, argmax, a NumPy round
    trip), or passed an operation whose derivative is 0 everywhere (round, sign). The line is found by following
    values through one forward pass.

    ## When it is harmless
    Where it is meant: target networks, frozen trunks, stop-gradients. Parameters that no optimizer holds are
    therefore not reported, and where the loss falls in spite of a no_grad block, this is a remark.

    ## What to do
    Remove the cut, or state the intention: freeze the parameters.
    """
    held = {p.name for p in case.run.parameters if p.optimizer >= 0} or {p.name for p in case.run.parameters}
    for facts in _cuts(case):
        names = [name for name in facts["parameters"] if name in held and not _ever_reached(case, name)]
        if not names or (not facts["operation"] and not case.failed):
            continue
        operation = str(facts["operation"])
        how = f"`{operation}` takes the value out of the graph" if operation else "they are not on any way to the loss"
        if not facts["grad_enabled"]:
            how = "they are used under torch.no_grad()"
        meant = not facts["grad_enabled"] and not facts["in_loss"]
        yield {
            "module": _common([name.rpartition(".")[0] for name in names]),
            "operation": operation,
            "source": str(facts["source"]),
            "count": len(names),
            "parameters": names[:20],
            "how": how,
            "harm": case.harm(1.0, 0.7, 0.2 if meant or not operation else 0.6),
        }
        return
    yield from _flattened(case)


def _cuts(case: Case) -> list[dict[str, Any]]:
    """What was cut, one entry a line of code, the one that cuts off most parameters first."""
    lines: dict[tuple[object, bool], dict[str, Any]] = {}
    for facts in case.events("cut"):
        key = (facts["source"] or facts["operation"], facts["grad_enabled"])
        if key in lines:
            lines[key]["parameters"] = [*dict.fromkeys([*lines[key]["parameters"], *facts["parameters"]])]
            lines[key]["in_loss"] = lines[key]["in_loss"] or facts["in_loss"]
        else:
            lines[key] = {**facts}
    return sorted(
        lines.values(), key=lambda facts: (not facts["operation"], not facts["in_loss"], -len(facts["parameters"]))
    )


def _ever_reached(case: Case, name: str) -> bool:
    return any(name in p.flow.topology.leaves() for p in case.run.passes)


def _flattened(case: Case) -> Iterator[dict[str, object]]:
    """Exact zeros born at an operation whose derivative is 0 everywhere."""
    for observed in case.passes[:1]:
        flow = observed.flow
        for edge in flow.vanishing_edges():
            operation = flow.topology.operations[edge.sender]
            if operation.name in ZERO_SLOPED:
                silent = [
                    op.leaf for i, op in enumerate(flow.topology.operations) if op.leaf and not flow.cotangents[i]
                ]
                if silent:
                    yield {
                        "module": case.module_of(observed, edge.sender),
                        "operation": operation.name,
                        "source": operation.source,
                        "count": len(silent),
                        "parameters": silent[:20],
                        "how": f"`{operation.name.split('Backward')[0].lower()}` has derivative 0 everywhere",
                        "harm": case.harm(1.0, 0.8, 0.6),
                    }
                    return


def _common(modules: list[str]) -> str:
    """The innermost module around all of these."""
    parts = [module.split(".") for module in modules]
    shared = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return ".".join(shared)
