"""One line that says a training is being observed, as long as the script itself keeps silent."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from undertow.api import Observation

__all__ = ["Progress"]


class Progress:
    """A transient line on standard error, while it is a terminal and the script has printed nothing.

    It has no thread of its own: it is drawn when the observation says that it has written something,
    so that a script may fork at any moment.
    """

    def __init__(self, observation: Observation):
        self._observation = observation
        self._live: Live | None = None
        self._process = os.getpid()
        self._streams: list[Any] = []

    def __enter__(self) -> Progress:
        if not (sys.stderr is not None and sys.stderr.isatty()):
            return self
        self._file = open(os.dup(sys.stderr.fileno()), "w", encoding="utf-8")
        console = Console(file=self._file, force_terminal=True)
        self._live = Live(
            console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                self._watch(stream)
        self._observation.tell(self._draw)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the line away. In a child process there is none."""
        live, self._live = self._live, None
        if live is None or os.getpid() != self._process:
            return
        for stream in self._streams:
            vars(stream).pop("write", None)
        live.stop()
        self._file.close()

    def _watch(self, stream: TextIOWrapper) -> None:
        """Step aside at the first thing that the script prints."""
        original = stream.write

        def write(text: str) -> int:
            self.stop()
            return original(text)

        vars(stream)["write"] = write
        self._streams.append(stream)

    def _draw(self) -> None:
        if self._live is None or os.getpid() != self._process:
            return
        if not self._live.is_started:
            self._live.start()
        self._live.update(Text(f"undertow · {self._observation.told()}", style="dim"), refresh=True)
