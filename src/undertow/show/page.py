"""Blocks as one self-contained page."""

from __future__ import annotations

from pathlib import Path

from undertow.diagnose.finding import Review
from undertow.show.report import report
from undertow.store.run import Run

__all__ = ["write_report"]


def write_report(run: Run, review: Review, path: str | Path) -> Path:
    """Write the report of a run as one HTML file that needs no network, and return where it is."""
    target = Path(path)
    target.write_text(str(report(run, review)), encoding="utf-8")
    return target
