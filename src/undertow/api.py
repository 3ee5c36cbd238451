"""`with undertow.observe() as run:`, where observing and judging meet."""

from __future__ import annotations

import os
import platform
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.optim import Optimizer

from undertow.errors import StoreError
from undertow.observe.attach import in_place, refuse_a_second
from undertow.observe.sampler import Sampler
from undertow.observe.session import Session
from undertow.ranks import apart, rank, ranks
from undertow.store import Run
from undertow.store.writer import Writer

if TYPE_CHECKING:
    from undertow.diagnose import Review
    from undertow.forecast import Outlook

__all__ = ["Observation", "new_folder", "note", "observe"]

RUNS = Path("undertow-runs")


class Observation:
    """A training that is being observed; as a context manager, from entry to exit.

    Attributes:
        folder: Where the run is kept.
    """

    def __init__(self, session: Session, writer: Writer):
        self.folder = writer.folder
        self._session = session
        self._writer = writer
        self._process = os.getpid()

    def __enter__(self) -> Observation:
        self._session.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self._end("finished")
        elif isinstance(error, KeyboardInterrupt):
            self.interrupted("SIGINT")
        else:
            self._end("exception", error)

    def interrupted(self, signal: str) -> None:
        """End observing because a signal ends the process."""
        self._end("interrupted", None, signal)

    def _end(self, state: str, error: BaseException | None = None, signal: str = "") -> None:
        if os.getpid() == self._process:
            self._session.finish(state, error, signal)
            with suppress(sqlite3.Error):
                self._writer.meta(children=_children())
            self._writer.close()

    @property
    def steps(self) -> int:
        """Optimizer steps seen so far."""
        return self._session.step

    @property
    def unstored(self) -> StoreError | None:
        """Why part of the run could not be kept, if it could not."""
        return self._session.unstored

    def tell(self, listener: Callable[[], None]) -> None:
        """Call `listener` about once a second while the training moves."""
        self._session.listener = listener

    def told(self) -> str:
        """How the training stands, in a few words."""
        return self._session.told()

    def stored(self) -> Run:
        """The run as it is on disk."""
        return Run(self.folder)

    def review(self) -> Review:
        """The verdict on what has been observed so far."""
        from undertow.diagnose import review  # not before: a training shares its memory with no judge

        return review(self.stored())

    def outlook(self) -> Outlook:
        """Where the loss is going, by what has been observed so far.

        Raises:
            ForecastError: That is too little.
        """
        from undertow.forecast import outlook

        return outlook(self.stored())


def observe(
    model: nn.Module | None = None,
    optimizer: Optimizer | None = None,
    *,
    budget: float = 0.01,
    every: int | None = None,
    focus: Iterable[int] = (),
    store: str | Path | None = None,
) -> Observation:
    """Observe whatever trains inside the `with` block, without changing it.

    Args:
        model: Name things after this model; whatever trains is found by itself when left out.
        optimizer: Count only this optimizer's steps.
        budget: Share of the training's time that observing may cost.
        every: Observe each so many steps in full, whatever it costs.
        focus: Steps to observe in full in any case.
        store: Folder for the run; a new one below `undertow-runs/` when left out.

    Returns:
        A context manager; its `review()` gives the verdict.

    Raises:
        UndertowError: The program is being observed already.
        StoreError: The folder cannot be written, or holds a run already.
        ValueError: A budget or interval that is none.
    """
    refuse_a_second()
    sampler = Sampler(budget, every, frozenset(focus))
    folder = Path(store) if store is not None else new_folder(Path(sys.argv[0]).stem or "session")
    facts = {
        "name": folder.absolute().name,
        "started": time.time(),
        "script": sys.argv[0],
        "argv": sys.argv,
        "budget": budget,
        "every": every,
        "rank": rank(),
        "ranks": ranks(),
        "python": platform.python_version(),
        "host": socket.gethostname(),
    }
    writer = Writer(folder, facts)
    return Observation(Session(writer, sampler, model, optimizer), writer)


def note(loss: float | Tensor, name: str = "held-out") -> None:
    """Keep a loss of held-out data with the run that is being observed; without one, nothing happens.

    Losses of `torch.nn` that are computed while gradients are off are seen anyway: this is for those that are computed
    otherwise, or that are means over what else belongs to them.

    Args:
        loss: One number, or a tensor of one.
        name: What it is of: losses of one name make one curve.

    Raises:
        ValueError: A tensor of several numbers.
    """
    if isinstance(loss, Tensor) and loss.numel() != 1:
        raise ValueError(f"a loss of shape {tuple(loss.shape)} is not one number: take its mean first")
    if (observer := in_place()) is not None:
        observer.evaluated(name.replace(":", " "), loss)  # a place in the code has one


def _children() -> float:
    """Seconds of processor time that child processes took, of those that have ended."""
    took = os.times()
    return took.children_user + took.children_system


def new_folder(name: str, below: Path = RUNS) -> Path:
    """A folder for a new run, named after what is run and when."""
    base = below / apart(f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")
    return next(
        folder
        for folder in (base, *(base.with_name(f"{base.name}-{n}") for n in range(2, 10000)))
        if not folder.exists()
    )
