"""What pytest tells of a network that does not learn: its evidence, and a SARIF log for code review.

It stands outside the package, and imports it late: pytest loads it at every start, and PyTorch takes seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from undertow.diagnose import Review
    from undertow.testing import NotLearningError

__all__ = ["pytest_addoption", "pytest_runtest_makereport", "pytest_sessionfinish"]

REVIEWS: pytest.StashKey[dict[str, Review]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("undertow").addoption(
        "--undertow-sarif", metavar="FILE", type=Path, help="Write what keeps networks from learning as a SARIF log."
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the review to the report of a test that failed by `assert_learns`, and its cause to the JUnit properties."""
    report = yield
    error = _not_learning(call)
    if error is not None:
        item.config.stash.setdefault(REVIEWS, {})[item.nodeid] = error.review
        report.sections.append(("undertow", _told(error)))
        if error.review.cause is not None:
            item.user_properties.append(("undertow", f"{error.review.cause.code} {error.review.cause.name}"))
    return report


def _not_learning(call: pytest.CallInfo[Any]) -> NotLearningError | None:
    testing = sys.modules.get("undertow.testing")
    error = None if call.excinfo is None else call.excinfo.value
    return error if testing is not None and isinstance(error, testing.NotLearningError) else None


def _told(error: NotLearningError) -> str:
    cause = error.review.cause
    evidence = [] if cause is None else [f"{name.replace('_', ' ')}: {value}" for name, value in cause.evidence.items()]
    losses = " ".join(f"{loss:.4g}" for loss in error.losses)
    return "\n".join([*evidence, f"losses: {losses}"])


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--undertow-sarif")
    if path is not None:
        from undertow.show.exchange import sarif

        reviews: dict[str, Review] = session.config.stash.get(REVIEWS, {})
        path.write_text(sarif(reviews), encoding="utf-8")
