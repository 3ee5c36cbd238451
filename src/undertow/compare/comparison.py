"""Two runs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from undertow.compare.difference import Difference
from undertow.compare.quantities import alike, flow, loss, pace
from undertow.compare.settings import data, settings, structure
from undertow.diagnose import Review, review
from undertow.shown import Shown
from undertow.store import Run

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison(Shown):
    """What is otherwise in the second run than in the first.

    Attributes:
        left, right: The runs.
        reviews: The verdict on each.
        changed: What was set otherwise: arguments, optimizers, parameters, operations, data.
        parted: What came of it: verdict, loss, gradients, updates, pace; the verdict and the loss first, then the
            rest, the greatest difference first.
        losses: How many losses of the same steps both have.
        same_until: How many of them, from the first on, are the same to the last digit: above 0, both started alike.
    """

    left: Run = field(repr=False)
    right: Run = field(repr=False)
    reviews: tuple[Review, Review] = field(repr=False)
    changed: Sequence[Difference]
    parted: Sequence[Difference]
    losses: int
    same_until: int

    @property
    def since(self) -> int | None:
        """The first optimizer step at which loss, gradients or updates part; `None` if none does."""
        steps = [d.since for d in self.parted if d.kind not in {"verdict", "pace", "rate"}]
        return min(steps, default=None)


def compare(left: Run, right: Run) -> Comparison:
    """Say what differs between two runs, and from which step on.

    Losses part where, for good, they are apart by four standard errors and by a tenth of what the first one came down
    by; norms, where they are apart by a factor of three and beyond their noise. Two runs of one script with other
    random numbers are taken to be alike; how often they are not, see `benchmarks/compare.md`.

    Args:
        left: What to compare with, such as yesterday's good run.
        right: What to compare, such as today's bad one.
    """
    reviews = review(left), review(right)
    changed = [*settings(left, right), *structure(left, right), *data(left, right)]
    sizes = [*flow(left, right), *pace(left, right)]
    parted = [*_verdicts(*reviews), *loss(left, right), *sorted(sizes, key=lambda d: -abs(d.decades))]
    return Comparison(left, right, reviews, changed, parted, *alike(left, right))


def _verdicts(left: Review, right: Review) -> list[Difference]:
    ours, theirs = _words(left), _words(right)
    return [] if ours == theirs else [Difference("verdict", "", ours, theirs)]


def _words(judged: Review) -> str:
    cause = judged.cause
    return judged.verdict if cause is None else f"{judged.verdict}: {cause.code} {cause.name}"
