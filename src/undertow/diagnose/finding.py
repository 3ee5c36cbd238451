"""What judging a run comes to: findings, and the one review made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from undertow.diagnose.causes import Possibility
from undertow.shown import Shown

__all__ = ["Finding", "Outcome", "Review", "Symptom", "Verdict"]

Verdict = Literal["sick", "healthy", "undecided", "not-applicable"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the training itself went, by its loss alone.

    Attributes:
        kind: `learned`, `falling` (not yet below chance, and on its way), `stalled`, `diverged`, `non-finite`,
            `unknown` (too short, or a loss that says nothing).
        first, last: Mean loss over the first and last tenth of the run.
        chance: The loss of a network that ignores its input, where the target tells; `nan` otherwise.
        drop: Fall of the loss in units of its own noise; below 0 it rose.
        steps: Optimizer steps made.
        chance_error: The standard error of `chance`, by the batches whose targets were seen; `nan` of one batch.
        floor: What is lost by answering right throughout: other than 0 where labels are smoothed, or a number is
            added to the loss.
        runaway: Whether the targets have left with the network that makes them; `chance` is then that of the last ones.
    """

    kind: str
    first: float
    last: float
    chance: float
    drop: float
    steps: int
    chance_error: float = math.nan
    floor: float = 0.0
    runaway: bool = False

    @property
    def skill(self) -> float:
        """How much of what can be gained over chance has been gained (1: all of it); `nan` where that is not known.

        It is not known of losses whose least value is not, such as one of several terms.
        """
        return (self.chance - self.last) / (self.chance - self.floor) if self.chance > self.floor else math.nan

    @property
    def give_or_take(self) -> str:
        """The error of chance in words, to come after it; empty where it is none or not known."""
        return f" ± {self.chance_error:.1g}" if self.chance_error > 0 else ""


@dataclass(frozen=True, slots=True)
class Symptom:
    """Something seen that the cause explains: told under it, never as a finding of its own."""

    code: str
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault that a diagnosis found, with the facts it rests on.

    Attributes:
        code: Such as `UT101`.
        name: Such as `vanishing-gradient`.
        family: Such as `signal`.
        message: One sentence made from the evidence.
        module: Path of the module at fault; empty where it is not one module's.
        operation: Type of the operation at fault, such as `SigmoidBackward0`; empty likewise.
        source: The user's line, such as `train.py:41`; empty where it is not known.
        evidence: The facts, by name: numbers, words and short tables (name → number).
        harm: How surely it keeps this run from learning, 0 (harmless here) to 1.
        advice: What to do, in a sentence or two.
        symptoms: What else was seen and is explained by it.
    """

    code: str
    name: str
    family: str
    message: str
    module: str = ""
    operation: str = ""
    source: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    harm: float = 1.0
    advice: str = ""
    symptoms: Sequence[Symptom] = ()


@dataclass(frozen=True, slots=True)
class Review(Shown):
    """The verdict on a run.

    Attributes:
        verdict: `sick`, `healthy`, `undecided` or `not-applicable`.
        summary: The verdict in one sentence.
        cause: The one ranked first, where the verdict is `sick`.
        findings: Every alarm, the cause first. A second one is an independent cause, or one that cannot
            be told apart from the first: then `apart` says what would tell.
        remarks: Faults that the run survives.
        apart: What would tell the first two findings apart; empty where nothing needs to.
        outcome: How the training itself went.
        notes: What limits this review (a compiled region, a run broken off, …).
        against: What speaks against the cause: facts that it does not account for.
        possible: What else could look the same, each with the cheapest observation that would decide.
    """

    verdict: Verdict
    summary: str
    cause: Finding | None
    findings: Sequence[Finding]
    remarks: Sequence[Finding]
    apart: str
    outcome: Outcome
    notes: Sequence[str] = ()
    against: Sequence[str] = ()
    possible: Sequence[Possibility] = ()

    def to_dict(self) -> dict[str, Any]:
        """As `review.json` has it; numbers that JSON cannot hold become words."""
        return {key: _jsonable(value) for key, value in asdict(self).items()}


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value
