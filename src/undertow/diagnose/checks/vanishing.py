"""The gradient vanishes on its way back."""

from __future__ import annotations

import math

from undertow.diagnose.case import Case
from undertow.diagnose.checks.signal import DECADES, DECADES_STALLED, account, blame, moments, slope
from undertow.diagnose.checks.upstream import first_before
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass

__all__: list[str] = []

ABOVE = 2.0
"""Times the loss of chance: the last bias alone brings a loss below that, whatever reaches the first layers."""

FEWEST = 4
"""Layers needed to speak of a trend over depth."""


def _trend(case: Case, observed: Pass) -> tuple[float, float, str] | None:
    """Decades lost over depth, steadiness, and the weakest weight."""
    scales = [item for item in case.relative_scales(observed) if math.isfinite(item[2])]
    if len({depth for _, depth, _ in scales}) < FEWEST:
        return None
    lost, steady = slope([(depth, scale) for _, depth, scale in scales])
    return lost, steady, min(scales, key=lambda item: item[2])[0]


@diagnosis(
    "UT101",
    "vanishing-gradient",
    message="the gradient of {weight} is {lost:.1f} decades (powers of ten) weaker than at the loss, "
    "relative to the weights; {operation} took {taken:.1f} decades on the way",
    advice="{remedy}",
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
    the loss falls far, this is a remark. A recurrence may forget what its task does not ask it to keep: it is
    an alarm where it forgot before the first step, and most is left to learn. What lies on a
    branch beside the way, as the queries and keys of an attention that still looks everywhere alike, is not reported.

    ## What to do
    It depends on what took the decades: saturating activations (use ReLU-like ones), weights too small for the
    width (He or Xavier initialisation), depth without skips or normalisation (add them), many time steps (gates).
    """
    above = case.outcome.last > ABOVE * case.outcome.chance
    for onset, observed in moments(case):
        if found := _vanished(case, observed) or _silenced(case, observed):
            yield found | {"onset": onset, "above_chance": above, "harm": case.harm(1.0, 0.6, 0.2, 0.6)}
            return
        if found := _forgotten(case, observed):
            harm = case.harm(1.0, 0.6, 0.2, 0.6 if onset == "start" and case.learned_little else None)
            yield found | {"onset": onset, "above_chance": above, "harm": harm}
            return


def _vanished(case: Case, observed: Pass) -> dict[str, object] | None:
    trend = _trend(case, observed)
    enough = DECADES_STALLED if case.failed else DECADES
    if trend is None or trend[0] < enough or trend[1] > -0.6 or _passed_by(case, observed, trend, enough):
        return None
    lost, steady, weight = trend
    attribution = observed.flow.attribute(weight)
    culprit = blame(case, observed, attribution, -1)
    share = -attribution.by_operation().get(culprit["operation"], 0.0)
    facts = {
        "weight": weight,
        "lost": lost,
        "steadiness": steady,
        "taken": share,
        "remedy": _remedy(culprit["operation"]),
    }
    return {**culprit, **account(observed, attribution), **facts}


def _passed_by(case: Case, observed: Pass, trend: tuple[float, float, str], enough: float) -> bool:
    """Whether the weights that the weakest one gets its input from are reached by enough of the gradient all the same.

    Then nothing is lost on the way to the first layers: what is weak lies on a branch beside it, as the queries and
    keys of an attention that still looks everywhere alike.
    """
    scales = case.relative_scales(observed)
    nearest = sorted(scale for _, _, scale in scales[: max(1, len(scales) // 4)])
    before = first_before(observed, trend[2])
    return any(scale > nearest[len(nearest) // 2] - enough for name, _, scale in scales if name in before)


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
    culprit = blame(case, observed, attribution, -1)
    share = -attribution.by_operation().get(culprit["operation"], 0.0)
    facts = {"weight": weight, "lost": lost, "taken": share, "remedy": _remedy(culprit["operation"])}
    return {**culprit, **account(observed, attribution), **facts}


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
        lost, steady = slope([*enumerate(logs)])
        if lost < DECADES + 1 or steady > -0.8:
            continue
        farthest = flow.topology.edges[max(e for e in edges if flow.contributions[e] > 0)].sender
        attribution = flow.attribute(farthest)
        culprit = blame(case, observed, attribution, -1)
        share = -attribution.by_operation().get(culprit["operation"], 0.0)
        facts = {"weight": operation.leaf, "lost": lost, "steadiness": steady, "taken": share, "uses": len(edges)}
        module = operation.leaf.rpartition(".")[0]
        remedy = "Use gates (LSTM, GRU), orthogonal recurrent weights, or shorter sequences."
        return {**culprit, **account(observed, attribution), **facts, "module": module, "remedy": remedy}
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
