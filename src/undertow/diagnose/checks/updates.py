"""Faults of the updates: too large, too small, piled up, or not made at all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.checks.signal import common_module
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Parameter, Pass

__all__ = ["JUMPED", "oversized", "reached"]

TOO_LARGE = 0.1
"""Share of its own size by which a typical weight matrix moves in one step; about 1e-3 is usual."""

STANDING = 0.1
"""Share of its first value by which the loss could have fallen at the very most, and share of its own size
by which the most moved weight matrix can have moved."""

FIRST_STEPS = 10

JUMPED = 5.0
"""Times its first value that a loss rises to where the first steps undid what was there."""

WIDE = ("float32", "float64")


@diagnosis(
    "UT301",
    "learning-rate-too-high",
    message="in its first steps the optimizer moved a typical weight matrix by {extent} its own size at once "
    "(about 0.1 % is usual){jump}",
    advice="Divide the learning rate by {factor:.0f} (it is {rate:g}), or warm up to it.",
    source="update ratio: Karpathy, CS231n notes; stability limit: Cohen et al. 2021, arXiv:2103.00065",
)
def learning_rate_too_high(case: Case) -> Found:
    """Steps so large that they leave the region where the gradient means anything.

    ## What it means
    A step follows the gradient at one point. Where it moves the weights by a large part of their own size, the
    loss after it has little to do with the slope before it: it jumps, oscillates, or lands on a plateau where
    units are dead. What counts is what the optimizer really did, not the number in its settings.

    ## When it is harmless
    In the first steps from a tiny or zero initialisation. Where the loss falls, this is a remark.

    ## What to do
    Lower the rate, warm up, or clip the gradient.
    """
    facts = oversized(case)
    if facts is None:
        return
    jumped, peak, late = facts["loss_jump"], facts["ratio"], facts["late_ratio"]
    damaged = jumped >= 2 or late >= TOO_LARGE / 2 or case.outcome.last > case.outcome.first or _grown(case) >= 3
    yield facts | {
        "extent": f"{peak:.0%} of" if peak < 10 else f"{peak:.3g} times",
        "jump": ""
        if jumped < 2
        else f", and the loss rose {jumped:.3g}-fold"
        if jumped < math.inf
        else ", and the loss left the numbers",
        "factor": 10.0 ** max(1, math.ceil(math.log10(peak / 0.01))),
        "harm": case.harm(0.9, 0.4, 0.1, 0.6 if jumped >= JUMPED else 0.1) if damaged else case.harm(0.4, 0.3, 0.1),
    }


def oversized(case: Case) -> dict[str, float] | None:
    """How much too large the steps were, or `None` where they were not."""
    ratios = case.typical_ratios()
    losses = case.losses()
    early = [ratio for step, ratio in ratios if step < case.start + FIRST_STEPS]
    if not early or not len(losses) or not math.isfinite(losses[0]):
        return None
    jumped, peak = _jump(losses), max(ratio for _, ratio in ratios)
    if not (max(early) >= TOO_LARGE or (jumped >= 2 and peak >= TOO_LARGE / 5)):
        return None
    rate = next((float(r) for u in case.finite_updates for r in u.rate if math.isfinite(r)), math.nan)
    return {
        "ratio": peak,
        "late_ratio": ratios[-1][1],
        "rate": rate,
        "loss_jump": jumped,
        "weights_grown": _grown(case),
    }


def _jump(losses: NDArray[np.float64]) -> float:
    """How many times its first value the loss reached in the first steps; infinite if it left the numbers."""
    first, after = abs(losses[0]), losses[1 : 2 * FIRST_STEPS]
    if not len(after) or first == 0:
        return 1.0
    return math.inf if not np.isfinite(after).all() else float(max(after.max() / first, 1.0))


def _grown(case: Case) -> float:
    """How many times its first norm a typical weight matrix reached."""
    norms = [u.weight[case.weights] for u in case.finite_updates]
    if len(norms) < 2:
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = norms[-1] / norms[0]
    return float(np.median(grown[np.isfinite(grown)])) if np.isfinite(grown).any() else 1.0


@diagnosis(
    "UT302",
    "learning-rate-too-low",
    message="had every one of {since} gone straight downhill, the loss could have fallen by no more than {share:.2%}",
    advice="{remedy}",
    source="Cauchy-Schwarz inequality on the first-order change of the loss",
)
def learning_rate_too_low(case: Case) -> Found:
    """Steps so small that the network stays what it was made.

    ## What it means
    A step changes the loss by at most the norm of the update times the norm of the gradient. This bound is
    added up over all steps and parameters, as the optimizer really made them: if even that is a small part of
    the loss, the network cannot have learned, whatever its gradients say.

    ## When it is harmless
    In fine-tuning, where little has to move and the loss is low from the start: then it is not reported.

    ## What to do
    Raise the rate; look for the range where the loss falls fastest.
    """
    outcome = case.outcome
    if case.learned or outcome.kind == "non-finite" or outcome.steps < 20 or not outcome.first > 0:
        return
    rates = [float(np.nanmax(u.rate)) for u in case.finite_updates if np.isfinite(u.rate).any()]
    gradients = [float(np.nanmax(u.gradient)) for u in case.finite_updates if np.isfinite(u.gradient).any()]
    if len(rates) < 2 or not gradients or max(gradients) == 0:
        return
    decayed = rates[-1] < rates[0] / 100
    whole, lately = case.promised(0.0) / outcome.first, case.promised(1 / 3) / outcome.first
    still = max(whole, case.moved(0.0)) < STANDING
    if not (still or (decayed and lately < STANDING / 4)):
        return
    decayed = decayed and not still
    share = lately if decayed else whole
    yield {
        "share": share,
        "moved": case.moved(1 / 3 if decayed else 0.0),
        "since": f"the last two thirds of {outcome.steps} steps" if decayed else f"all {outcome.steps} steps",
        "rate": rates[0],
        "last_rate": rates[-1],
        "remedy": f"The learning rate fell from {rates[0]:g} to {rates[-1]:.1g} too soon: stretch its schedule."
        if decayed
        else f"Raise the learning rate (it is {rates[0]:g}) at least {_fold(share):.0f}-fold.",
        "harm": case.harm(0.9, 0.3, 0.0),
    }


def _fold(share: float) -> float:
    """The power of ten that would bring a share to 1."""
    return float(10.0 ** math.ceil(-math.log10(max(share, 1e-12))))


@diagnosis(
    "UT303",
    "gradients-never-zeroed",
    message="on {share:.0%} of the observed steps `.grad` still held the last step's gradient "
    "when the backward pass began",
    advice="Call optimizer.zero_grad() once a step, before loss.backward().",
    source="PyTorch documentation of Optimizer.zero_grad",
)
def gradients_never_zeroed(case: Case) -> Found:
    """Each step follows the sum of all gradients so far.

    ## What it means
    PyTorch adds to `.grad`. Without zeroing, the step is momentum that never decays: the weights run past every
    minimum, farther each time.

    ## When it is harmless
    Accumulating over micro-batches is not this: there `.grad` is empty when the first of them begins.

    ## What to do
    Zero the gradients after each step.
    """
    held = np.array([p.optimizer for p in case.run.parameters])
    for number in sorted({*held[held >= 0]}):
        piled = _piled(case, held == number)
        if len(piled) >= 2 and np.mean(piled) >= 0.5:
            yield {"share": float(np.mean(piled)), "steps": len(piled), "harm": case.harm(1.0, 0.9, 0.7)}
            return


def _piled(case: Case, mine: NDArray[np.bool_]) -> list[bool]:
    """Of each observed step of one optimizer, whether most of its gradients were there before."""
    found = []
    for updates in case.run.updates:
        stepped = mine & np.isfinite(updates.update) & np.isfinite(updates.carried)
        if updates.step > case.start and stepped.any():
            found.append(bool((updates.carried[stepped] > 0).mean() > 0.5))
    return found


@diagnosis(
    "UT304",
    "parameters-not-held",
    message="{count} parameters of {where} get a gradient and are moved by no optimizer{stale}",
    advice="{remedy}",
    source="PyTorch documentation of torch.optim",
)
def parameters_not_held(case: Case) -> Found:
    """Parameters that the backward pass pays for and that no optimizer moves.

    ## What it means
    The optimizer was given other parameters: those of an old model, of a part of it, or of a module that keeps
    its layers in a plain list, where `parameters()` does not find them.

    ## When it is harmless
    Where only a head is meant to be trained. Then freezing the rest saves its backward pass; where the loss
    falls this is a remark. Parameters in half precision of which the optimizer holds copies in full are not meant.

    ## What to do
    Hand the optimizer `model.parameters()` of the model that is trained, after everything has been built.
    """
    if not case.run.optimizers or not case.run.updates:
        return
    names = reached(case.run.passes)
    loose = [p for p in case.run.parameters if p.optimizer < 0 and p.trainable and p.name in names and p.kind]
    if not loose or _have_masters(case, loose, names):
        return
    held = [p for p in case.run.parameters if p.optimizer >= 0 and p.name in names]
    unregistered = any("[" in p.name or "(" in p.name or p.kind == "Tensor" for p in loose)
    stale = ", which holds none of the parameters that are trained" if not held else ""
    remedy = "Give the optimizer model.parameters() of this very model, after it has been built."
    if unregistered:
        remedy = (
            "Make them nn.Parameter, or modules kept as attributes or in an nn.ModuleList: parameters() misses them."
        )
    yield {
        "module": common_module([p.module for p in loose]),
        "count": len(loose),
        "parameters": [p.name for p in loose[:20]],
        "share": sum(p.size for p in loose) / sum(p.size for p in [*loose, *held]),
        "stale": stale,
        "remedy": remedy,
        "harm": 1.0 if not held else 0.8 if unregistered else case.harm(1.0, 0.6, 0.3, _untrained(case)),
    }


def _have_masters(case: Case, loose: Sequence[Parameter], names: set[str]) -> bool:
    """Whether each has a copy of its own that the optimizer moves in its stead, in a wider type: mixed precision."""
    copies = Counter(
        p.shape for p in case.run.parameters if p.optimizer >= 0 and p.name not in names and p.dtype in WIDE
    )
    needed = Counter(p.shape for p in loose)
    return not any(p.dtype in WIDE for p in loose) and all(copies[shape] >= count for shape, count in needed.items())


def _untrained(case: Case) -> float:
    """How harmful left-out parameters are where something, but not much, was learned."""
    return 0.6 if case.skill < 0.5 else 0.3


def reached(passes: Sequence[Pass]) -> set[str]:
    """Parameters that one of these passes brought a gradient."""
    found: set[str] = set()
    leaves = {id(p.flow.plan): p.flow.topology.leaves() for p in {id(p.flow.plan): p for p in passes}.values()}
    for p in passes:
        cotangents = p.flow.cotangents
        found.update(leaf for leaf, index in leaves[id(p.flow.plan)].items() if cotangents[index] > 0)
    return found
