"""Weight decay, in every form, that is stronger than what the data ask for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.checks.penalty import penalties
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Updates

__all__: list[str] = []

MOSTLY = 0.8
"""Share of the observed passes on which a thing counts as what always happens."""

HALF = 0.5
"""Of the gradient, of the whole step, of the loss that is left, of the size of the weights: more is most of it."""

SCALELESS = 0.1
"""Times the gradient. Where the size of a weight does not matter, as before a normalisation, decay comes to a balance
with the growth by steps alone, which costs nothing: it is then half as large beside the gradient as a step is beside
the weight, and that is a hundredth, not a tenth, wherever a network trains (van Laarhoven 2017, arXiv:1706.05350)."""

NOISE_STEP = 0.23
"""Root mean square of an entry of Adam's step, over its rate, where gradients are noise alone: √((1-β)/(1+β)), β = 0.9.
Where the steps of a training that has converged are smaller, that they are says nothing of the decay."""


@diagnosis(
    "UT309",
    "overpowering-weight-decay",
    act="made",
    message="{what} pulls a typical weight matrix {pull:.3g} times as hard as {against}, and {how}",
    advice="{remedy}",
    source="Krogh & Hertz 1991, A simple weight decay can improve generalization; Loshchilov & Hutter 2019, "
    "arXiv:1711.05101",
)
def overpowering_weight_decay(case: Case) -> Found:
    """Weight decay that is stronger than what the data ask for.

    ## What it means
    Each step takes a share of every weight away. Where that is more than the gradient puts back, the weights shrink
    towards zero and the network forgets faster than it learns. Compared are the decay and the gradient, as the
    optimizer found it; for decoupled decay, the decay and the whole step. Of a penalty that is added up in the loss
    compared is what it and the data bring to the gradient; the loss then falls as the weights do, and says nothing.

    Weights need not shrink: they may come to a balance short of where the data would have them. Then the loss would
    fall, were the weights let grow: by the decay times their squared norm for each factor of e, to first order. That is
    said where it is more than half of the loss that is left; of decoupled decay, where in the last third it is more
    than half of the whole step, and of that of an Adam that follows nothing but noise.

    ## When it is harmless
    Where weights end at a balance of the two and the loss has come down to a small part of that of guessing.

    ## What to do
    Lower it; leave biases and normalisations out of it.
    """
    weights = np.array(case.weights, dtype=np.int64)
    yield from _penalised(case, _shrunk(case, weights))
    seen = [(u, _pull(case, u, weights)) for u in case.finite_updates]
    seen = [(u, pull) for u, pull in seen if math.isfinite(pull)]
    if len(seen) < 2:
        return
    shrunk = _shrunk(case, weights)
    limit = HALF if _decoupled(case) else 1.0  # beyond it the decay is longer than what the gradient adds
    overcome = np.mean([pull > limit for _, pull in seen]) >= HALF and shrunk <= HALF
    late = seen[-max(2, len(seen) // 3) :]
    if not overcome and not _held_back(case, late, weights):
        return
    decay = float(np.nanmax(case.finite_updates[0].decay[weights]))
    yield {
        "pull": float(np.median([pull for _, pull in (seen if overcome else late)])),
        "against": "its gradient" if not _decoupled(case) else "the whole step",
        "shrunk": shrunk,
        "decay": decay,
        "what": "weight decay",
        "how": _story(shrunk),
        "remedy": f"Lower weight_decay (it is {decay:g}), say to 1e-4 for SGD or 1e-2 for AdamW.",
        "onset": "start",
        "harm": case.harm(0.9, 0.4, 0.1, 0.6),
    }


def _story(shrunk: float) -> str:
    return f"the weights went to {shrunk:.0%} of the size that they were made with"


def _penalised(case: Case, shrunk: float) -> Found:
    """The same of a penalty added to the loss, from the first pass on, or at a balance that costs most of the fit."""
    found = penalties(case)
    pulls = [penalty.pull for penalty in found]
    if len(found) < 2 or not shrunk <= HALF:
        return
    always = pulls[0] > 2 and np.mean([pull > 2 for pull in pulls]) >= MOSTLY
    late = found[-max(2, len(found) // 3) :]
    costly = [penalty.pull > SCALELESS and penalty.costs > HALF * penalty.fit > 0 for penalty in late]
    if not always and np.mean(costly) < HALF:
        return
    yield {
        "pull": float(np.median(pulls)),
        "against": "the data",
        "shrunk": shrunk,
        "act": "backward",
        "what": "the penalty in the loss",
        "how": _story(shrunk),
        "remedy": "Multiply the penalty by less, or average it over the weights instead of adding it up.",
        "onset": "start",
        "harm": case.harm(0.9, 0.6, 0.6 if math.isnan(case.skill) else 0.1, 0.6),
    }


def _held_back(case: Case, late: list[tuple[Updates, float]], weights: NDArray[np.int64]) -> bool:
    """Whether weights that had the time for it stand short of where the data would have them."""
    least = HALF if _decoupled(case) else SCALELESS
    if np.median([pull for _, pull in late]) <= least or not np.median([case.moved_by(int(n)) for n in weights]) >= 1:
        return False
    if _decoupled(case):
        return bool(np.median([_in_entries(case, u, weights) for u, _ in late]) > HALF * NOISE_STEP)
    costs = [float(np.nansum(u.decay[weights] * u.weight[weights] ** 2)) for u, _ in late]
    return bool(np.median(costs) > HALF * case.outcome.last > 0)


def _in_entries(case: Case, updates: Updates, weights: NDArray[np.int64]) -> float:
    """By how much the decay moves an entry of a typical weight matrix, for each unit of the rate."""
    sizes = np.sqrt([case.run.parameters[n].size for n in weights])
    return float(np.nanmedian(updates.decay[weights] * updates.weight[weights] / sizes))


def _decoupled(case: Case) -> bool:
    return any(optimizer.kind.endswith("W") or "Lion" in optimizer.kind for optimizer in case.run.optimizers)


def _pull(case: Case, updates: Updates, weights: NDArray[np.int64]) -> float:
    """How strong the decay is against the gradient, or against the step where it is a step of its own."""
    decay, weight = updates.decay[weights], updates.weight[weights]
    with np.errstate(all="ignore"):
        against = updates.update[weights] / updates.rate[weights] if _decoupled(case) else updates.gradient[weights]
        ratio = decay * weight / against
    kept = ratio[np.isfinite(ratio) & (weight > 0)]
    return float(np.median(kept)) if len(kept) else math.nan


def _shrunk(case: Case, weights: NDArray[np.int64]) -> float:
    if len(case.finite_updates) < 2:
        return 1.0
    first, last = case.finite_updates[0].weight[weights], case.finite_updates[-1].weight[weights]
    with np.errstate(all="ignore"):
        shares = (last / first)[first > 0]
    return float(np.nanmedian(shares)) if np.isfinite(shares).any() else 1.0
