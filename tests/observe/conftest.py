"""One thread: with more, two busy cores make small steps fifty times slower."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.observe.contexts import one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield
