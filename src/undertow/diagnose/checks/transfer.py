"""Faults of fine-tuning: what was learned before, and what the first steps do to it."""

from __future__ import annotations

import math
from typing import Any

from numpy.lib.stride_tricks import sliding_window_view

from undertow.diagnose.case import Case
from undertow.diagnose.checks.signal import common_module
from undertow.diagnose.outcome import jitter
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []

OPENING = 100
"""Steps in which what was learned before can be lost before the loss tells."""

FEWEST = 2
"""Normalisations that must show that they were trained."""

TOGETHER = 5
"""Losses whose mean tells that it rose, and not one batch alone."""

DEVIATIONS = 4
"""From one loss to the next, above the first."""

OFF = 1e-3
"""By what share the norm of a scale that was never trained may differ from that of ones, by rounding."""


HALF = 0.5
"""Of the weights that are trained: most of them."""

WAYS = {
    "drawn": (
        "{count} weight matrices ({which}) that had been learned, {of_trained:.0%} of the weights trained, were drawn "
        "anew at random before the first step",
        "Initialise first, then load; or initialise only what is new: head.apply(init).",
    ),
    "dropped": (
        "what was loaded at {loaded} went into a network that was never called; {count} weight matrices ({which}) of "
        "one made after it are trained from random values instead, {of_trained:.0%} of the weights trained",
        "Train the network into which the weights were loaded, or load them into the one that is trained.",
    ),
    "unmatched": (
        "load_state_dict loaded no weight: it was given {given} for {own}, and likewise the rest; {count} weight "
        "matrices ({which}) are trained from random values, {of_trained:.0%} of the weights trained",
        "Rename the keys of the state, or load it into the module that it belongs to, with strict=True; where "
        "strict=False is needed, look at the missing_keys that it returns.",
    ),
}
"""How learned weights can be lost before the first step, and what to do."""


@diagnosis(
    "UT901",
    "learned-weights-overwritten",
    message="{how}",
    advice="{remedy}",
    source="Howard & Ruder 2018, arXiv:1801.06146, on rates by layer and warm-up; Kumar et al. 2022, arXiv:2202.10054, "
    "on features that fine-tuning distorts",
)
def learned_weights_overwritten(case: Case) -> Found:
    """What was learned before is lost on the way to the first step, or by the first steps.

    ## What it means
    Either what was learned never came to be trained. It was loaded, or copied, and then drawn anew at random: by
    `apply(init)`, `reset_parameters` or `nn.init`, called after it. Or it was loaded into a network that nobody ever
    called, and one was trained that was made after it. Or `load_state_dict(strict=False)` found no name that it knew,
    and loaded nothing. Each of these was seen as it happened: no threshold is involved.

    Or the first steps undid it. The scales of the normalisations are neither one nor zero, so this network was trained
    before. The first steps moved its weights by as much as they are long, and the loss rose above where it began.

    Either way the run begins from a random network at best.

    ## When it is harmless
    Where the training did as well without (a remark). Where any of the weights that were learned are kept, as under a
    head drawn anew, nothing is said, nor of a network that was trained here and is begun afresh in whole, as in
    cross-validation. Of first steps: where the loss soon falls below where it began, and that was the point, as a
    warm restart of a schedule does.

    ## What to do
    Make the network, initialise it, then load, then train that same one; look at what `load_state_dict` returns.
    Of first steps: a smaller rate and a warm-up; train the new head alone first, then all of it.
    """
    lost = [facts for facts in case.events("lost") if facts["of_learned"] == 1]  # or else some is kept, on purpose
    if lost:
        yield _lost_on_the_way(case, max(lost, key=lambda facts: facts["of_trained"]))
        return
    seen = case.course()
    moved = case.moved_within(OPENING)
    if seen is None or not moved >= 1 or not _trained_before(case):
        return
    early = seen.values[seen.steps < case.start + OPENING]
    if len(early) < 5 * TOGETHER:
        return
    first, peak = float(early[0]), float(sliding_window_view(early, TOGETHER).mean(1).max())
    if not peak > first + DEVIATIONS * float(jitter(early)):
        return
    steps = min(OPENING, case.outcome.steps)
    yield {
        "how": f"weights that had been trained before were moved by up to {moved:.0%} of their norm in the first "
        f"{steps} steps, and the loss rose from {first:.3g} to {peak:.3g}",
        "remedy": "Fine-tune with a rate ten to a hundred times smaller, raised from 0 over the first steps (warm-up), "
        "and a larger one for what is new (parameter groups).",
        "moved": moved,
        "steps": steps,
        "first": first,
        "peak": peak,
        "onset": "start",
        "harm": 0.6 if case.failed or case.outcome.last > first else 0.3,
    }


def _lost_on_the_way(case: Case, facts: dict[str, Any]) -> dict[str, Any]:
    names = [case.run.parameters[n].name for n in facts["numbers"] if n < len(case.run.parameters)]
    modules = [case.run.parameters[n].module for n in facts["numbers"] if n < len(case.run.parameters)]
    how, remedy = WAYS[facts["how"]]
    named = facts.get("names", ("", ""))
    return {
        "module": common_module(modules),
        "source": facts["source"],
        "how": how.format_map(facts | {"which": _listed(names), "own": named[0], "given": named[1]}),
        "remedy": remedy,
        "parameters": names[:20],
        "of_trained": facts["of_trained"],
        "onset": "start",
        "harm": case.harm(0.85, 0.6, 0.4, 0.6) if facts["of_trained"] > HALF else 0.3,
    }


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _trained_before(case: Case) -> bool:
    """Whether scales of normalisations were neither ones nor zeros when the run began."""
    start = next((u for u in case.run.updates if u.step == case.start), None)
    if start is None:
        return False
    scales = [
        (float(norm), math.sqrt(p.size))
        for p, norm in zip(case.run.parameters, start.weight, strict=True)
        if "Norm" in p.kind and p.name.endswith("weight") and len(p.shape) == 1 and math.isfinite(norm)
    ]
    off = [norm for norm, ones in scales if norm > 0 and abs(norm - ones) > OFF * ones]
    return len(off) >= FEWEST and 2 * len(off) >= len(scales)
