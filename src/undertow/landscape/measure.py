"""A plane's points measured: those not yet done, in pieces, here or by an executor's workers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertow.landscape.evaluate import Way, evaluated, fastest
from undertow.landscape.plane import Plane
from undertow.landscape.problem import Problem
from undertow.landscape.progress import Progress
from undertow.preflight.untouched import same_chance

__all__ = ["Work", "measured"]

Floats = NDArray[np.float64]

PIECES = 32
"""Into how many pieces the points are split: after each, the file is written; each is one task for an executor."""


@dataclass(frozen=True)
class Work:
    """Where and how points are measured; none of it changes what comes out, up to rounding.

    Attributes:
        stacked: Points in one vectorised pass of the model, 1 for one after the other; None to find the fastest way by
            trying, among them that of computing what is affine in the coordinates once for all points.
        executor: Any `concurrent.futures` executor to spread the pieces over. Model, loss function and data are
            pickled for workers in other processes, so the loss function must be importable there.
        file: An `.npz` file of what has been measured, written after every piece. If it is there, it is gone on with,
            provided that model, data, points and loss function are the same, as far as that shows (see `identity`).
    """

    stacked: int | None = None
    executor: Executor | None = None
    file: str | PathLike[str] | None = None


def measured(
    problem: Problem, plane: Plane, coordinates: Floats, work: Work, way: Way | None = None
) -> tuple[Floats, Way]:
    """The loss at each row of coordinates, and in which way it was measured: the fastest, if none is given.

    The model is copied and never written to, so that graphs recorded before stay good; random numbers go on as if none
    had been drawn, also if this raises.
    """
    file = None if work.file is None else Path(work.file)
    progress = Progress.begun(len(coordinates), "" if file is None else _key(problem, plane, coordinates), file)
    todo = np.flatnonzero(~progress.done)
    with same_chance():
        if way is None:
            way = Way(work.stacked) if work.stacked is not None else fastest(problem, plane, coordinates[todo])
        apart = PIECES if work.executor is not None or work.file is not None else 1
        pieces = np.array_split(todo, min(apart, max(1, len(todo) // way.stacked))) if len(todo) else []
        for piece, losses in _answers(problem, plane, coordinates, pieces, way, work.executor):
            progress.add(piece, losses)
    return progress.losses, way


def _key(problem: Problem, plane: Plane, coordinates: Floats) -> str:
    """A fingerprint of what is to be measured."""
    told = f"{plane.digest()} {coordinates.tobytes().hex()} {problem.digest()}"
    return hashlib.sha256(told.encode()).hexdigest()


def _answers(
    problem: Problem,
    plane: Plane,
    coordinates: Floats,
    pieces: list[NDArray[np.int64]],
    way: Way,
    executor: Executor | None,
) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Each piece with its losses, in the order in which they come."""
    if executor is None:
        for piece in pieces:
            yield piece, evaluated(problem, plane, coordinates[piece], way)
        return
    asked: dict[Future[Floats], NDArray[np.int64]] = {
        executor.submit(evaluated, problem, plane, coordinates[piece], way): piece for piece in pieces
    }
    try:
        for future in as_completed(asked):
            yield asked[future], future.result()
    finally:
        for future in asked:
            future.cancel()
