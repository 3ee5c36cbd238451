"""What the optimizer makes of a gradient: nothing, too little, or something else."""

from __future__ import annotations

import math

import numpy as np

from undertow.diagnose.case import LITTLE, Case
from undertow.diagnose.checks.signal import common_module
from undertow.diagnose.checks.updates import held_in_waiting, left_out, reached
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass, Updates

__all__: list[str] = []

MOSTLY = 0.8
"""Share of the observed steps, or of the weights, on which a thing counts as what always happens."""

SOME = 10
"""Backward passes, or losses, that make a training."""

NARROW = ("bfloat16", "float16", "float8")


def _paired(case: Case) -> list[tuple[Pass, Updates]]:
    """Steps of one backward pass that were observed together with their update."""
    passes: dict[int, list[Pass]] = {}
    for observed in case.run.passes:
        passes.setdefault(observed.step, []).append(observed)
    return [(passes[u.step][0], u) for u in case.run.updates if len(passes.get(u.step, ())) == 1]


@diagnosis(
    "UT307",
    "zeroed-before-the-step",
    act="zeroed",
    message="on {share:.0%} of the observed steps the backward pass brought {whose}a gradient, and the optimizer "
    "found none",
    advice="Call optimizer.zero_grad() before loss.backward() or after optimizer.step(), never between them; "
    "with torch.autograd.grad, put what it returns into .grad.",
    source="PyTorch documentation of Optimizer.zero_grad",
)
def zeroed_before_the_step(case: Case) -> Found:
    """Gradients that are thrown away before the optimizer sees them.

    ## What it means
    Between the backward pass and the step the gradients are set to zero, or they were never put into `.grad`. The
    optimizer steps on nothing, and no weight moves. Of several backward passes before a step, the gradients of the
    first ones may be thrown away between them: what only these reach never moves, and is named.

    ## When it is harmless
    Never, where something is to be learned.

    ## What to do
    The order is: zero, forward, backward, step.
    """
    found = [share for share in (_thrown_away(case, u) for u in case.run.updates) if share is not None]
    thrown, whose = [share > 0.5 for share in found], ""
    if len(thrown) < 2 or np.mean(thrown) < MOSTLY:
        between = [names for names in (_lost_between(case, u) for u in case.run.updates) if names is not None]
        thrown, whose = [bool(names) for names in between], f"{', '.join(sorted(set().union(*between))[:4])} "
    if len(thrown) >= 2 and np.mean(thrown) >= MOSTLY:
        yield {"share": float(np.mean(thrown)), "steps": len(thrown), "whose": whose, "harm": 1.0}


def _lost_between(case: Case, updates: Updates) -> set[str] | None:
    """What an optimizer holds that passes of this step before its last one reached alone, if it found none.

    Empty where it found a gradient for any of them; `None` where no parameter is so.
    """
    passes = [p for p in case.run.passes if p.step == updates.step]
    names = reached(passes[:-1]) - reached(passes[-1:])
    alone = [n for n, p in enumerate(case.run.parameters) if p.optimizer >= 0 and p.name in names]
    alone = [n for n in alone if np.isfinite(updates.weight[n])]
    if not alone:
        return None
    lost = all(not updates.gradient[n] > 0 and not updates.update[n] > 0 for n in alone)
    return {case.run.parameters[n].name for n in alone} if lost else set()


def _thrown_away(case: Case, updates: Updates) -> float | None:
    """Share of the parameters a pass of this step brought a gradient that the optimizer found without one."""
    names = {name for p in case.run.passes if p.step == updates.step for name in reached([p])}
    held = np.array([p.optimizer >= 0 and p.name in names for p in case.run.parameters])
    held &= np.isfinite(updates.weight)
    if not held.any():
        return None
    gradient, update = updates.gradient[held], updates.update[held]
    none = np.isnan(gradient) & ~(update > 0)
    return float(((gradient == 0) | none).mean())


@diagnosis(
    "UT308",
    "steps-lost-to-rounding",
    message="{lost:.0%} of the entries of a typical weight matrix stay bitwise the same at each step "
    "though their gradient asks them to move ({dtype})",
    advice="Keep a copy of the weights in float32 and step on that (mixed precision), or round at random; "
    "a larger step would be lost less often.",
    source="Zamirai et al. 2020, Revisiting BFloat16 Training, arXiv:2010.06192",
)
def steps_lost_to_rounding(case: Case) -> Found:
    """Steps smaller than half the distance to the next number that the weight can be.

    ## What it means
    A number in bfloat16 has 8 bits: adding less than about 0.2 % of it changes nothing. Updates are usually 0.1 % of
    the weights, so most are lost, and the more so the smaller the steps get.

    ## When it is harmless
    Late in a training, when steps are small because there is little left to learn.

    ## What to do
    Float32 weights with autocast for the rest, stochastic rounding, or Kahan summation in the optimizer.
    """
    weights = np.array(case.weights, dtype=np.int64)
    if not len(weights):
        return
    moving = [u for u in case.finite_updates if np.nanmax(u.rate, initial=0) > 0]
    asked = [np.where(np.isfinite(u.gradient), u.lost, np.nan)[weights] for u in moving]
    shares = [np.nanmedian(lost) for lost in asked if np.isfinite(lost).any()]
    if len(shares) < 2 or np.median(shares) < 0.5:
        return
    dtypes = {case.run.parameters[n].dtype for n in weights}
    narrow = any(dtype.startswith(NARROW) for dtype in dtypes)
    yield {
        "lost": float(np.median(shares)),
        "dtype": ", ".join(sorted(dtypes)),
        "onset": "start" if shares[0] >= 0.5 else "later",
        "harm": case.harm(0.85, 0.4, 0.2, 0.55) if narrow else case.harm(0.4, 0.2, 0.0),
    }


@diagnosis(
    "UT310",
    "throttling-clip",
    act="clipped",
    message="on {share:.0%} of the observed steps the gradient was cut down before the optimizer saw it, "
    "typically to {kept:.2g} of its size",
    advice="Raise the threshold of the clipping to about the gradient's usual norm ({usual:.2g} here).",
    source="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063; Zhang et al. 2020, arXiv:1905.11881",
)
def throttling_clip(case: Case) -> Found:
    """Clipping that acts on every step, with a threshold far below the gradient's usual size.

    ## What it means
    Clipping is for the rare large gradient. Where it acts on each, every step has the same length, that of the
    threshold times the learning rate, and the network barely moves. Compared is the gradient that the backward pass
    brought with the one that the optimizer found; how far all steps together could have brought the loss down, had each
    gone straight downhill, tells whether they were too short.

    ## When it is harmless
    With optimizers that divide by the gradient's own size, which undo it: these are not reported. And where the
    learning rate makes up for it, as the loss shows by falling below chance.

    ## What to do
    Set the threshold to about the 90th percentile of the norms of unclipped gradients.
    """
    if case.scale_free:
        return
    found = [pair for pair in (_clipped(case, p, u) for p, u in _paired(case)) if pair is not None]
    kept = [after / before for before, after in found]
    if len(kept) < 3 or np.mean([share < 0.1 for share in kept]) < MOSTLY:
        return
    short = case.promised(0.0) < LITTLE * case.outcome.first
    strong = float(np.median(kept)) <= 0.02 or case.outcome.kind == "falling" or short
    yield {
        "share": float(np.mean([share < 0.1 for share in kept])),
        "kept": float(np.median(kept)),
        "usual": float(np.median([before for before, _ in found])),
        "onset": "start",
        "harm": case.harm(0.92, 0.3, 0.1, 0.6) if strong else case.harm(0.4, 0.2, 0.1),
    }


def _clipped(case: Case, observed: Pass, updates: Updates) -> tuple[float, float] | None:
    """The norm of the whole gradient as the pass brought it, and as the optimizer found it."""
    leaves = observed.flow.plan.leaves
    numbers = [n for n, p in enumerate(case.run.parameters) if p.name in leaves and np.isfinite(updates.gradient[n])]
    brought = math.hypot(*[observed.flow.cotangents[leaves[case.run.parameters[n].name]] for n in numbers])
    found = math.hypot(*updates.gradient[numbers])
    if not (math.isfinite(brought) and math.isfinite(found) and brought > 0 and found > 0):
        return None
    return brought, found


@diagnosis(
    "UT305",
    "backward-never-run",
    act="step",
    message="{steps} optimizer steps were made and no backward pass ran before them",
    advice="Call loss.backward() before optimizer.step().",
    source="PyTorch documentation of torch.optim",
)
def backward_never_run(case: Case) -> Found:
    """An optimizer that steps without gradients.

    ## What it means
    No backward pass ran, so no parameter has a gradient, and `step()` moves nothing.

    ## When it is harmless
    Never, where something is to be learned.

    ## What to do
    Compute the loss on tensors of the graph and call its `backward()`.
    """
    by_hand = any(float(np.nanmax(u.gradient, initial=0.0)) > 0 for u in case.run.updates)
    if case.run.steps > 0 and not case.run.meta.get("passes", 1) and not by_hand:
        yield {"steps": case.run.steps, "harm": 1.0}


@diagnosis(
    "UT306",
    "step-never-made",
    act="backward",
    message="{passes} backward passes ran, and {which} never made a step",
    advice="Call {called} step() after loss.backward().",
    source="PyTorch documentation of torch.optim",
)
def step_never_made(case: Case) -> Found:
    """Gradients that nothing follows.

    ## What it means
    Backpropagation computes gradients; moving the weights is the optimizer's job, and it was never asked to. Of
    several optimizers one may have been forgotten, or another may be asked twice in its stead.

    ## When it is harmless
    Where gradients are wanted for themselves, as in saliency maps; and where an optimizer was made for a later phase:
    where the loss has come far below that of guessing without it, this is a remark.

    ## What to do
    Step the optimizer.
    """
    passes = int(case.run.meta.get("passes", 0))
    if passes < SOME or len(case.losses()) < SOME:
        return
    if case.run.steps == 0 and not case.learned:
        told = {"which": "the optimizer", "called": "the optimizer's"}
        yield {"passes": passes, "harm": case.harm(1.0, 0.7, 0.0)} | told
    waiting = held_in_waiting(case)
    for kind in sorted({*waiting.values()}) if case.run.steps else ():
        names = [name for name in waiting if waiting[name] == kind]
        module = common_module([case.parameters[name].module for name in names])
        yield {
            "module": module,
            "passes": passes,
            "parameters": names[:20],
            "which": f"the {kind} that holds {len(names)} parameters{f' of {module}' if module else ''}",
            "called": "its",
            "harm": left_out(case, names),
        }
