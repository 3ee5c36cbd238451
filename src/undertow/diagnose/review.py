"""From findings to one verdict."""

from __future__ import annotations

from undertow.diagnose.finding import Outcome, Review
from undertow.store import Run

__all__ = ["review"]


def review(run: Run) -> Review:
    """The verdict on a stored run."""
    outcome = Outcome("unknown", 0.0, 0.0, 0.0, 0.0, run.steps)
    return Review("undecided", "Not judged yet.", None, (), (), "", outcome)
