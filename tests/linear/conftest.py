"""Settings of the operators' tests."""

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine is doing.
settings.register_profile("undertow", deadline=None)
settings.load_profile("undertow")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes seconds, where the others take milliseconds")
