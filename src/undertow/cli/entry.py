"""The entry point."""

from __future__ import annotations

import sys

from rich.text import Text

from undertow.cli import (  # noqa: F401, each of them a command
    compare,
    explain,
    forecast,
    landscape,
    report,
    run,
    runs,
    standstill,
)
from undertow.cli.app import Launcher, app, aside
from undertow.errors import UndertowError

__all__ = ["main"]


def main() -> None:
    """The entry point. A training runs after the command line has been taken apart, and not inside it."""
    launchers: list[Launcher] = []
    try:
        try:
            app(obj=launchers)
        except SystemExit:
            if not launchers:
                raise
        sys.exit(launchers[0]() if launchers else 0)
    except UndertowError as error:
        aside().print(Text(f"undertow: {error}"), soft_wrap=True)
        sys.exit(1)
