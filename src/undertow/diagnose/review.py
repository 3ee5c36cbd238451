"""From findings to one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from undertow.diagnose.case import Case
from undertow.diagnose.causes import CERTAIN, STAGES, apart, decides
from undertow.diagnose.checks import (
    attention,
    balance,
    batches,
    budget,
    cancelling,
    constant,
    cuts,
    data,
    decay,
    dynamics,
    evaluation,
    exploding,
    layers,
    loss,
    modes,
    noise,
    numerics,
    output,
    outset,
    precision,
    rates,
    saturated,
    settings,
    shapes,
    standing,
    steps,
    symmetry,
    targets,
    transfer,
    units,
    updates,
    vanishing,
)
from undertow.diagnose.doubts import against
from undertow.diagnose.finding import Finding, Outcome, Review, Symptom, Verdict
from undertow.diagnose.outcome import SKILL
from undertow.diagnose.table import DIAGNOSES
from undertow.store import Run

__all__ = ["CHECKS", "review"]

CHECKS = (
    attention,
    balance,
    batches,
    budget,
    cancelling,
    constant,
    cuts,
    data,
    decay,
    dynamics,
    evaluation,
    exploding,
    layers,
    loss,
    modes,
    noise,
    numerics,
    output,
    outset,
    precision,
    rates,
    saturated,
    settings,
    shapes,
    standing,
    steps,
    symmetry,
    targets,
    transfer,
    units,
    updates,
    vanishing,
)
"""The modules whose diagnoses make up the table."""

CHILDREN = 1.0
"""Seconds of processor time from which on child processes may have trained something."""

OUTLIVED = 0.3
"""The most harm of a state that the loss fell in spite of."""

GROWING = frozenset({"UT102"})
"""States of a network that a loss can fall in for a while before they undo it."""

ONLY_SIZE = {"UT508"}
"""Faults that make a loss large: a network whose signal vanishes before the first step has that from elsewhere, unless
the loss stands far above chance, which the last bias alone would mend."""

BACKWARD = ("UT102", "UT202")
"""A gradient, and what units were in the forward pass before it: until a step was made, it brought nothing about."""

DATED = {"UT301", "UT801"}
"""Codes whose evidence may say at which step it happened: of two that may each bring about the other, the first did."""

ALARM = 0.5
"""A finding of at least this harm is an alarm; below, a remark."""


def review(run: Run) -> Review:
    """The verdict on a stored run: one ranked cause with its symptoms, or that there is none."""
    case = Case(run)
    if not run.meta.get("passes", len(run.passes)) and not run.steps:
        return _not_applicable(case)
    found = [finding for code in sorted(DIAGNOSES) for finding in DIAGNOSES[code](case)]
    found = _raised([replace(f, harm=min(f.harm, OUTLIVED)) if _outlived(f, case) else f for f in found])
    alarms = sorted((f for f in found if f.harm >= ALARM), key=_rank)
    remarks = [f for f in found if f.harm < ALARM]
    causes, explained = _causes(alarms)
    if not causes:
        return _without_cause(case, remarks)
    first = replace(causes[0], symptoms=tuple(_symptom(f) for f in [*explained, *_explained_by(causes[0], remarks)]))
    findings = (first, *causes[1:3])
    kept = tuple(r for r in remarks if r not in _explained_by(causes[0], remarks))
    return Review(
        verdict="sick",
        summary=f"{first.name.replace('-', ' ')}: {first.message}",
        cause=first,
        findings=findings,
        remarks=kept,
        apart=_apart(findings),
        outcome=case.outcome,
        notes=_notes(case),
        against=tuple(against(findings, case.outcome)),
        possible=decides(first.code, case.outcome.kind),
    )


def _outlived(finding: Finding, case: Case) -> bool:
    """Whether the network was in that state from the start and learned all the same: what undid it came later."""
    at_start = finding.evidence.get("onset") == "start" and finding.code in STAGES["network"] - GROWING
    return at_start and case.once_learned and case.failed


def _raised(found: Sequence[Finding]) -> list[Finding]:
    """What the run seemed to survive is no remark where it brought about an alarm."""
    alarms = [f for f in found if f.harm >= ALARM]
    return [replace(f, harm=max([f.harm, *(e.harm for e in alarms if _brought(f, e))])) for f in found]


def _brought(cause: Finding, effect: Finding) -> bool:
    """Whether too large a step did damage later on, or inputs too large for the weights saturated units at once."""
    onset = effect.evidence.get("onset")
    steps = cause.code == "UT301" and onset == "later" and effect.code in DAMAGED
    inputs = cause.code == "UT501" and cause.evidence["rms"] > 1 and onset == "start" and effect.code == "UT202"
    return (steps or inputs) and _explains(cause, effect)


DAMAGED = STAGES["network"]
"""States that a network can be brought into by steps."""


def _rank(finding: Finding) -> tuple[bool, bool, float, str]:
    later = finding.evidence.get("onset") == "later"
    return finding.code not in CERTAIN, later, -finding.harm, finding.code


def _causes(alarms: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Alarms that nothing else found explains, and the ones that are explained.

    A fault that came later cannot have caused one that was there at the start, and no update can.
    """
    explained = [f for f in alarms if any(_explains(other, f) for other in alarms)]
    causes = [f for f in alarms if f not in explained]
    return (causes, explained) if causes else ([*alarms[:1]], [*alarms[1:]])


def _explains(cause: Finding, effect: Finding) -> bool:
    if cause is effect or effect.code not in DIAGNOSES[cause.code].explains:
        return False
    at_start = effect.evidence.get("onset") == "start"
    if at_start and (effect.code == "UT801" or cause.family == "updates" or (cause.code, effect.code) == BACKWARD):
        return False
    if at_start and cause.code in ONLY_SIZE and not effect.evidence.get("above_chance", True):
        return False
    mutual = cause.code in DIAGNOSES[effect.code].explains
    if mutual and {cause.code, effect.code} <= DATED and "step" in cause.evidence and "step" in effect.evidence:
        return bool(cause.evidence["step"] <= effect.evidence["step"])
    early = cause.evidence.get("onset") != "later"
    return early or (not mutual and effect.evidence.get("onset") != "start")


def _explained_by(cause: Finding, remarks: Sequence[Finding]) -> list[Finding]:
    return [f for f in remarks if f.code in DIAGNOSES[cause.code].explains]


def _symptom(finding: Finding) -> Symptom:
    return Symptom(finding.code, finding.name, finding.message)


def _apart(findings: Sequence[Finding]) -> str:
    return apart(findings[0].code, findings[1].code) if len(findings) > 1 else ""


def _without_cause(case: Case, remarks: Sequence[Finding]) -> Review:
    verdict, summary = _verdict_by_outcome(case.outcome)
    possible = decides("", case.outcome.kind) if verdict == "undecided" else ()
    return Review(verdict, summary, None, (), tuple(remarks), "", case.outcome, _notes(case), possible=possible)


def _verdict_by_outcome(outcome: Outcome) -> tuple[Verdict, str]:
    if outcome.kind == "learned":
        return "healthy", "The loss falls, and nothing was found that keeps this network from learning."
    if outcome.steps < 10:
        return "undecided", (
            "Nothing was found that would keep this network from learning; "
            f"{outcome.steps} optimizer steps are too few to say that it does."
        )
    if outcome.kind == "falling":
        if outcome.last < (1 - SKILL) * outcome.chance:
            return "undecided", (
                f"The loss was below {outcome.chance:.3g}{outcome.give_or_take}, which answering without looking at "
                f"the input gives, from its start: it came from {outcome.first:.3g} to {outcome.last:.3g}, too little "
                "to say that the network learns."
            )
        below = "hardly" if outcome.last < outcome.chance else "not yet"
        return "undecided", (
            f"The loss falls, from {outcome.first:.3g} to {outcome.last:.3g}, but is {below} below "
            f"{outcome.chance:.3g}{outcome.give_or_take}, which answering without looking at the input gives: the run "
            "is too short to say that the network learns."
        )
    if outcome.kind == "unknown":
        return "healthy", "Nothing was found that keeps this network from learning; its losses are not meant to fall."
    return "undecided", "The loss does not fall, but no fault of backpropagation was found that would explain it."


def _not_applicable(case: Case) -> Review:
    summary = "No backward pass ran: no neural network was trained here, so backpropagation is not the problem."
    if case.run.meta.get("transformed"):
        summary = "All gradients were taken within transforms of torch.func, which are not observed."
        return Review("undecided", summary, None, (), (), "", case.outcome, _notes(case))
    took = case.run.meta.get("children", 0.0)
    elsewhere = (
        f"Child processes took {took:.0f} seconds of processor time. What they train is not observed: "
        "run `undertow` within them, as in `torchrun -m undertow run train.py`.",
    )
    notes = (*_notes(case), *(elsewhere if took >= CHILDREN else ()))
    return Review("not-applicable", summary, None, (), (), "", case.outcome, notes)


def _notes(case: Case) -> tuple[str, ...]:
    notes = []
    meta = case.run.meta
    if meta.get("compiled"):
        notes.append("Something was compiled: a compiled region is seen as one operation, from the outside.")
    if meta.get("transformed"):
        notes.append("Gradients that were taken within transforms of torch.func (grad, vmap, …) were not observed.")
    if meta.get("ranks", 1) > 1:
        notes.append(
            f"This is process {meta['rank']} of {meta['ranks']} that train together: each has a run of its own. "
            "Losses and the flow are of its own batches; the weights are moved by gradients that all of them agreed on."
        )
    if case.run.state in {"running", "interrupted", "exception", "killed"}:
        notes.append(f"The run did not end by itself ({case.run.state}): this is the verdict on what there is of it.")
    for event in case.run.events:
        if event.kind == "fault":
            whose = (
                "Observing" if event.facts.get("type") == "ShardedError" else "Undertow itself failed, and observing"
            )
            notes.append(f"{whose} stopped at step {event.step}: {event.facts.get('message')}")
        if event.kind == "exception":
            notes.append(f"The script raised {event.facts.get('type')}: {event.facts.get('message')}")
    return tuple(notes)
