"""The command line: a file for each command."""

from undertow.cli.entry import main

__all__ = ["main"]
