"""Forward and our sweep over forward and `loss.backward()`: `python -m benchmarks.sweep`.

One thread, eager, the ways compared one after the other in every round, medians of the ratios within a round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

import undertow
from benchmarks.models import MODELS, Task
from undertow.engine.algebras import Gradient
from undertow.engine.graph import Graph
from undertow.engine.graph_task import in_graph_task
from undertow.engine.sweep import sweep

SECONDS = 8.0
FEWEST = 15

Backward = Callable[[Tensor], object]


def own(loss: Tensor) -> object:
    return undertow.backward(loss, calculus=undertow.CALCULUS)


def borrowed(loss: Tensor) -> object:
    return undertow.backward(loss)


def unrecorded(loss: Tensor) -> object:
    graph = Graph.read(loss)
    arrivals = undertow.engine.backward.arrivals(graph, None)
    seeds = [torch.ones_like(loss)]
    return in_graph_task(lambda: sweep(graph, seeds, Gradient(), arrivals, calculus={}))


WAYS: dict[str, Backward] = {
    "our rules, flow recorded": own,
    "borrowed, flow recorded": borrowed,
    "borrowed, nothing recorded": unrecorded,
}


def seconds(task: Task, backward: Backward) -> float:
    """One training step without the optimizer, from zeroed gradients to a graph that is freed."""
    task.model.zero_grad(set_to_none=True)
    start = time.perf_counter()
    loss = task.loss()
    backward(loss)
    del loss
    return time.perf_counter() - start


def measure(task: Task) -> tuple[float, dict[str, list[float]]]:
    """Milliseconds of PyTorch's own step, and each way's ratios to it, round by round."""
    plain: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in WAYS}
    stop = time.perf_counter() + SECONDS
    while len(plain) < FEWEST or time.perf_counter() < stop:
        plain.append(seconds(task, Tensor.backward))
        for name, way in WAYS.items():
            ratios[name].append(seconds(task, way) / plain[-1])
    return statistics.median(plain) * 1e3, ratios


def main() -> None:
    torch.set_num_threads(1)
    print(f"| model | loss.backward(), ms | {' | '.join(WAYS)} |")
    print("| --- | --- |" + " --- |" * len(WAYS))
    for name, make in MODELS.items():
        torch.manual_seed(0)
        plain, ratios = measure(make())
        cells = (f"{statistics.median(values):.2f}" for values in ratios.values())
        print(f"| {name} | {plain:.2f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
