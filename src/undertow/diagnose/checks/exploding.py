"""The gradient explodes on its way back."""

from __future__ import annotations

import math

from undertow.diagnose.case import Case
from undertow.diagnose.checks.signal import DECADES, DECADES_STALLED, account, blame, moments
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass

__all__: list[str] = []


@diagnosis(
    "UT102",
    "exploding-gradient",
    message="the gradient grows by {grown:.1f} decades (powers of ten) on its way from the loss to {weight}; "
    "{operation} brought {taken:.1f} of them",
    advice="Initialise the weights for the width (He, Xavier, orthogonal), add normalisation, "
    "or clip the gradient's norm.",
    source="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063",
)
def exploding_gradient(case: Case) -> Found:
    """The gradient grows without bound on its way from the loss to the first layers.

    ## What it means
    Each layer multiplies the gradient by more than 1, so the first layers are asked for steps many times their
    own size. The loss jumps, and soon is not a number. At the first pass no step has been made: what has grown there
    by then is the weights' doing, whatever the rate.

    ## When it is harmless
    With clipping or an adaptive optimizer a few decades can be lived with: where the loss falls, this is a remark.

    ## What to do
    Smaller initial weights, normalisation, clipping; for recurrent networks orthogonal weights or gates.
    """
    for onset, observed in moments(case):
        undone = onset == "start" and case.outcome.kind in {"diverged", "non-finite"}
        found = _exploded(case, observed, DECADES_STALLED if undone else DECADES)
        if found:
            yield found | {"onset": onset, "harm": case.harm(1.0, 0.6, 0.2)}
            return


def _exploded(case: Case, observed: Pass, enough: float) -> dict[str, object] | None:
    flow = observed.flow
    head = [flow.cotangents[index] for index in observed.head.operations if flow.cotangents[index] > 0]
    scales = [item for item in case.leaf_scales(observed) if item[2] > 0 and math.isfinite(item[2])]
    if not head or len(scales) < 2 or not all(map(math.isfinite, head)):
        return None
    weight, _, norm = max(scales, key=lambda item: item[2])
    attribution = flow.attribute(weight)
    products = sum(d for i, d in attribution.gains.items() if i not in observed.head.operations and d > 0)
    grown = math.log10(norm / max(head[-1], 1e-300))
    ratio = norm / max(case.weight_norms(observed.step).get(weight, math.inf), 1e-300)
    if grown < enough or products < enough or ratio < 1:
        return None
    culprit = blame(case, observed, attribution, +1)
    share = attribution.by_operation().get(culprit["operation"], 0.0)
    facts = {"weight": weight, "grown": grown, "taken": share, "gradient_over_weight": ratio}
    return {**culprit, **account(observed, attribution), **facts}
