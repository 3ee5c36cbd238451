"""The loss at many points: one after the other, or many in one vectorised pass, whichever measures faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from undertow.engine.batched import falling_back
from undertow.landscape.fold import Folded, folded
from undertow.landscape.plane import Plane
from undertow.landscape.problem import Problem, normalisations

__all__ = ["Way", "evaluated", "fastest"]

Floats = NDArray[np.float64]
Run = Callable[[Floats, int], Iterator[Floats]]
"""The losses at some points, so many of them in one pass."""

TRIED = (32, 128)
"""How many points are tried in one pass. More are tried only while more make it faster."""

PASSES = 3
"""One pass to warm up, and others of which the fastest counts: what else the machine does can only make it slower."""

SHARE = 0.15
"""Trying so many points in one pass may take this share of all, at most."""

FEW = 8
"""Points tried one after the other, spread over all."""

SAME = 1e-5
"""By how much, at most and relative to it, the loss may be another where it is computed in another way."""


@dataclass(frozen=True, slots=True)
class Way:
    """How points are evaluated.

    Attributes:
        stacked: How many points go through the model in one vectorised pass; 1 for one after the other.
        seconds: What a point took when this was chosen; NaN where it was given.
        folded: Whether what is affine in the coordinates, up to the first operation that is not, was computed for
            all points at once (see `undertow.landscape.fold`).
    """

    stacked: int
    seconds: float = float("nan")
    folded: bool = False

    def __str__(self) -> str:
        passes = "one point at a time" if self.stacked == 1 else f"{self.stacked} points in one pass"
        return f"{passes}, what is affine computed once" if self.folded else passes


def evaluated(problem: Problem, plane: Plane, coordinates: Floats, way: Way) -> Floats:
    """The loss at each row of coordinates.

    The ways agree up to rounding: a sum may be added up in another order.
    """
    with torch.no_grad():
        run = _folded(folded(problem, plane)) if way.folded else _whole(problem, plane)
        return np.concatenate([*run(coordinates, way.stacked)])


def fastest(problem: Problem, plane: Plane, coordinates: Floats) -> Way:
    """The way in which a point of these takes least time, by trying a few of them."""
    if not len(coordinates):
        return Way(1)
    with torch.no_grad():
        run, few = _whole(problem, plane), coordinates[:: -(-len(coordinates) // FEW)]
        seconds, losses = _timed(run, few, 1)
        best = Way(1, seconds)
        if problem.statistics == "recomputed" and normalisations(problem.model):
            return best
        other = _foldable(problem, plane)
        if other is not None:
            seconds, found = _timed(other, few, 1)
            if seconds < best.seconds and np.allclose(found, losses, rtol=SAME, atol=0, equal_nan=True):
                run, best = other, Way(1, seconds, True)
        return _widest(run, best, coordinates)


def _widest(run: Run, best: Way, coordinates: Floats) -> Way:
    """A way with as many points in one pass as make it fastest."""
    for stacked in TRIED:
        if PASSES * stacked > SHARE * len(coordinates):
            break
        try:
            seconds, _ = _timed(run, coordinates[: PASSES * stacked], stacked)
        except RuntimeError:  # something in this model cannot be vectorised: values read, tensors written in place
            break
        if seconds >= best.seconds:
            break
        best = replace(best, stacked=stacked, seconds=seconds)
    return best


def _timed(run: Run, coordinates: Floats, stacked: int) -> tuple[float, Floats]:
    """Seconds a point in the fastest pass, once everything is made ready and warm by the first, and the losses."""
    seconds, begun = [float("inf")], 0.0
    losses: list[Floats] = []
    for some in run(coordinates, stacked):
        if losses:
            seconds.append((time.perf_counter() - begun) / len(some))
        losses.append(some)
        begun = time.perf_counter()
    return min(seconds), np.concatenate(losses)


def _foldable(problem: Problem, plane: Plane) -> Run | None:
    try:
        return _folded(folded(problem, plane))
    except RuntimeError:  # no fixed list of operations
        return None


def _whole(problem: Problem, plane: Plane) -> Run:
    """The loss by the model as it is."""
    model = problem.prepared().requires_grad_(False)
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}

    def measure() -> Tensor:
        problem.gathered(model)
        return problem.loss(model)

    def at(moved: Mapping[str, Tensor]) -> Tensor:
        point = {**plane.centre, **moved}
        return problem.loss(lambda *inputs, **others: functional_call(model, point, inputs, others))

    return _run(plane, named, measure, at)


def _folded(found: Folded) -> Run:
    """The loss by the steps that are left of it."""
    tensors = {name: tensor.clone() for name, tensor in found.plane.centre.items()}
    return _run(found.plane, tensors, lambda: found(tensors), lambda moved: found({**found.plane.centre, **moved}))


def _run(
    plane: Plane,
    tensors: Mapping[str, Tensor],
    measure: Callable[[], Tensor],
    at: Callable[[Mapping[str, Tensor]], Tensor],
) -> Run:
    """Points one after the other by writing into tensors, or several at once as a function of what moves."""
    device = next(iter(plane.centre.values())).device

    def run(coordinates: Floats, stacked: int) -> Iterator[Floats]:
        if stacked > 1:
            with falling_back():
                for some in torch.as_tensor(coordinates, dtype=torch.float64).to(device).split(stacked):
                    yield torch.vmap(at)(plane.stacked(some)).double().cpu().numpy()
            return
        write = plane.writer(tensors)
        for point in coordinates.tolist():
            write(point)
            yield np.array([measure().item()])

    return run
