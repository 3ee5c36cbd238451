"""A run and its review as a sequence of blocks."""

from __future__ import annotations

from undertow.diagnose.finding import Review
from undertow.show.blocks import Block
from undertow.show.judgement import judgement
from undertow.store.run import Run

__all__ = ["report"]


def report(run: Run, review: Review) -> list[Block]:
    """Everything there is to show of a run, the verdict first."""
    return judgement(run, review)
