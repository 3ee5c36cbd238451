"""The entry point."""

from __future__ import annotations

import sys
from importlib import import_module

from rich.text import Text

from undertow.cli.app import Launcher, app, aside
from undertow.errors import UndertowError

__all__ = ["main"]

COMMANDS = ("compare", "explain", "forecast", "landscape", "report", "run", "runs", "standstill")
"""Each of them a file of this folder."""


def main() -> None:
    """The entry point. A training runs after the command line has been taken apart, and not inside it."""
    for name in _needed(sys.argv[1:]):
        import_module(f"undertow.cli.{name}")
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


def _needed(words: list[str]) -> tuple[str, ...]:
    """The command that is named, so that a training shares its memory with no other; all for help or an error."""
    return (words[0],) if words and words[0] in COMMANDS else COMMANDS
