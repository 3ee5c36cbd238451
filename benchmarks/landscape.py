"""Slices of the loss beside the loss-landscapes package: `python -m benchmarks.landscape`.

One thread, float32, seconds of the processor. The package walks a plane in place, one point after the other; in every
round it and we evaluate the same number of points in the same plane with the same data, in turn, on a copy of the same
model. Medians of each and of the ratios within a round; values are compared at the points that both have. A word after
the command: only the cases with it in their name.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import loss_landscapes
import numpy as np
import torch
import torch.nn.functional as F
from loss_landscapes.metrics import Loss
from sklearn.datasets import load_digits
from torch import Tensor, nn

import undertow
from benchmarks.models import gpt
from undertow.landscape import Evaluation, Grid, random
from undertow.landscape.normalise import normalised

TOLERANCES = (None, 1e-5, 1e-3)
"""Every point measured; interpolated to this relative error."""


@dataclass(frozen=True)
class Case:
    """A model, its data, how many points along each axis, how often, and to which tolerances."""

    model: nn.Module
    inputs: Tensor
    targets: Tensor
    points: int = 51
    rounds: int = 7
    tolerances: Sequence[float | None] = TOLERANCES


def digits(count: int) -> tuple[Tensor, Tensor]:
    found = load_digits()
    return torch.tensor(found.data[:count] / 16).float(), torch.tensor(found.target[:count])


def digits_mlp(count: int, act: type[nn.Module] = nn.ReLU) -> Case:
    model = nn.Sequential(nn.Linear(64, 32), act(), nn.Linear(32, 10))
    return Case(model, *digits(count))


def digits_cnn(count: int, act: type[nn.Module] = nn.ReLU, pool: type[nn.Module] = nn.MaxPool2d) -> Case:
    inputs, targets = digits(count)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), act(), pool(2), nn.Conv2d(8, 16, 3, padding=1), act()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)),
    )
    return Case(model, inputs.reshape(-1, 1, 8, 8), targets)


def small_gpt() -> Case:
    task = gpt()
    return Case(task.model, task.inputs, task.targets, points=25, rounds=1)


CASES: dict[str, Callable[[], Case]] = {
    "MLP 64-32-10, ReLU, 64 digits": lambda: digits_mlp(64),
    "MLP 64-32-10, ReLU, all 1,797 digits": lambda: digits_mlp(1797),
    "MLP 64-32-10, tanh, 64 digits": lambda: digits_mlp(64, nn.Tanh),
    "MLP 64-32-10, tanh, all 1,797 digits": lambda: digits_mlp(1797, nn.Tanh),
    "CNN of 2 convolutions, ReLU, max-pooling, 256 digits": lambda: digits_cnn(256),
    "CNN of 2 convolutions, GELU, mean-pooling, 256 digits": lambda: digits_cnn(256, nn.GELU, nn.AvgPool2d),
    "GPT 4 layers, width 128, 128 tokens, batch 16": small_gpt,
    "the same GPT, all points": lambda: replace(small_gpt(), points=51, tolerances=(1e-5, 1e-3)),
}


def ends(case: Case) -> list[dict[str, Tensor]]:
    """Two directions, filter-normalised, in which the package is to walk from the model."""
    here = {name: p.detach() for name, p in case.model.named_parameters()}
    return [normalised(random(case.model, seed), here, "filter") for seed in (1, 2)]


def peer(case: Case, directions: list[dict[str, Tensor]]) -> Callable[[], np.ndarray]:
    """The package's plane from the model to the two points at the ends of the directions."""
    models = [copy.deepcopy(case.model).eval() for _ in range(3)]
    with torch.no_grad():
        for model, direction in zip(models[1:], directions, strict=True):
            for name, parameter in model.named_parameters():
                parameter += direction[name]
    metric = Loss(F.cross_entropy, case.inputs, case.targets)
    return lambda: loss_landscapes.planar_interpolation(*copy.deepcopy(models), metric, case.points)


def ours(case: Case, directions: list[dict[str, Tensor]], tolerance: float | None) -> undertow.Slice:
    """The same plane, where the package's odd rows are; its even ones begin one step later along the second axis."""
    grid = Grid(0, 1 - 1 / case.points, case.points)
    how = Evaluation(tolerance=tolerance)
    return undertow.landscape(case.model, F.cross_entropy, (case.inputs, case.targets), directions, grid, how)


def timed(run: Callable[[], object]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun


def apart(case: Case, directions: list[dict[str, Tensor]], theirs: np.ndarray, tolerance: float | None) -> str:
    """The greatest relative difference, over the points that both have."""
    found = ours(case, directions, tolerance)
    off = [
        np.abs(row[1:] / other[:-1] - 1 if number % 2 == 0 else row / other - 1).max()
        for number, (row, other) in enumerate(zip(found.losses, theirs, strict=True))
    ]
    measured = found.interpolation.measured if found.interpolation else found.losses.size
    return f"{measured:,} | {found.way} | {max(off):.0e}"


def main() -> None:
    torch.set_num_threads(1)
    print(
        "| model and data | points | tolerance | package, s | ours, s | ratio | measured | way | relative difference |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, make in CASES.items():
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        torch.manual_seed(0)
        case = make()
        directions = ends(case)
        walk = peer(case, directions)
        theirs = walk()
        rounds = [
            [timed(walk), *(timed(lambda c=case, d=directions, t=t: ours(c, d, t)) for t in case.tolerances)]
            for _ in range(case.rounds)
        ]
        for column, tolerance in enumerate(case.tolerances, 1):
            walked, mine = (statistics.median(row[place] for row in rounds) for place in (0, column))
            ratio = statistics.median(row[0] / row[column] for row in rounds)
            told = apart(case, directions, theirs, tolerance)
            what = f"{name} | {case.points}² | {tolerance or 'exact'}"
            print(f"| {what} | {walked:.2f} | {mine:.2f} | {ratio:.1f} | {told} |", flush=True)


if __name__ == "__main__":
    main()
