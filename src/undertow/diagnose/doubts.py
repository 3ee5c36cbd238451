"""What speaks against the cause that a review names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from undertow.diagnose.causes import CERTAIN
from undertow.diagnose.finding import Finding, Outcome
from undertow.diagnose.outcome import SHORTEST

__all__ = ["against"]


def against(findings: Sequence[Finding], outcome: Outcome) -> Iterator[str]:
    """Sentences about facts that the first of these findings does not account for."""
    cause, others = findings[0], findings[1:]
    if outcome.kind == "learned":
        yield f"The loss fell all the same, from {outcome.first:.3g} to {outcome.last:.3g}."
    if outcome.kind == "falling":
        yield f"The loss falls, from {outcome.first:.3g} to {outcome.last:.3g}, though it is not yet below chance."
    if outcome.kind == "stalled" and cause.evidence.get("onset") == "later":
        yield "It was seen only after the start, and the loss has not fallen from the start."
    if outcome.kind == "unknown" and cause.code not in CERTAIN:
        yield (
            f"{outcome.steps} steps are too few to tell by the loss whether it learns."
            if outcome.steps < SHORTEST
            else "The losses of this run do not tell whether it learns: there is no failure to be explained."
        )
    for other in others:
        yield f"It does not bring about {other.code} {other.name}, which was found as well."
