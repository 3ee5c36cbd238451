"""Our sweep beside `loss.backward()`, in time and memory: `python -m benchmarks.sweep`.

One thread, eager, the ways compared one after the other in every round, medians of the ratios within a round. Times are
those that the process had on the processor, which other work on the machine changes little.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

import undertow
from benchmarks.families import FAMILIES
from benchmarks.models import MODELS, Task
from undertow.engine.algebras import Gradient
from undertow.engine.backward import arrivals
from undertow.engine.calculus import Rule
from undertow.engine.graph import Graph
from undertow.engine.graph_task import in_graph_task
from undertow.engine.release import releasing
from undertow.engine.sweep import sweep

SECONDS = float(os.environ.get("SECONDS", "12"))
FEWEST = 15

Backward = Callable[[Tensor], object]


def own(loss: Tensor) -> object:
    return undertow.backward(loss, calculus=undertow.CALCULUS)


def borrowed(loss: Tensor) -> object:
    return undertow.backward(loss)


def unrecorded(loss: Tensor, calculus: Mapping[str, Rule]) -> object:
    graph = Graph.read(loss)
    places = arrivals(graph, None)
    seeds = [torch.ones_like(loss)]
    watcher = releasing(graph)
    return in_graph_task(lambda: sweep(graph, seeds, Gradient(), places, watcher=watcher, calculus=calculus))


WAYS: dict[str, Backward] = {
    "our rules, nothing recorded": partial(unrecorded, calculus=undertow.CALCULUS),
    "our rules, flow recorded": own,
    "borrowed, nothing recorded": partial(unrecorded, calculus={}),
    "borrowed, flow recorded": borrowed,
}


class Cost(NamedTuple):
    """Seconds of one training step without the optimizer, and of its backward pass with the freeing of the graph."""

    step: float
    sweep: float

    def over(self, other: Cost) -> Cost:
        return Cost(self.step / other.step, self.sweep / other.sweep)


def cost(task: Task, backward: Backward) -> Cost:
    task.model.zero_grad(set_to_none=True)
    start = time.process_time()
    loss = task.loss()
    between = time.process_time()
    backward(loss)
    del loss
    end = time.process_time()
    return Cost(end - start, end - between)


def measure(task: Task) -> tuple[Cost, dict[str, list[Cost]]]:
    """What PyTorch's own step costs, and each way's ratios to it, round by round."""
    plain: list[Cost] = []
    ratios: dict[str, list[Cost]] = {name: [] for name in WAYS}
    stop = time.perf_counter() + SECONDS
    while len(plain) < FEWEST or time.perf_counter() < stop:
        plain.append(cost(task, Tensor.backward))
        for name, way in WAYS.items():
            ratios[name].append(cost(task, way).over(plain[-1]))
    return middle(plain), ratios


def middle(costs: list[Cost]) -> Cost:
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def peak(task: Task, backward: Backward) -> int:
    """Bytes of tensors, at most, that a step allocates beyond the model and the batch."""
    task.model.zero_grad(set_to_none=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        backward(task.loss())
    events = profiler.profiler.kineto_results.events()
    memory = sorted((event for event in events if event.name() == "[memory]"), key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in memory))


def main() -> None:
    torch.set_num_threads(1)
    heads = [f"{name}: step (sweep)" for name in WAYS]
    print(f"| model | `loss.backward()`: step (sweep), ms | {' | '.join(heads)} | peak memory, ours | borrowed |")
    print("| --- | --- |" + " --- |" * (len(WAYS) + 2))
    for name, make in {**MODELS, **FAMILIES}.items():
        torch.manual_seed(0)
        task = make()
        plain, ratios = measure(task)
        cells = (f"{step:.2f} ({alone:.2f})" for step, alone in map(middle, ratios.values()))
        least = peak(task, Tensor.backward)
        peaks = (f"{peak(task, way) / least:.2f}" for way in (own, borrowed))
        first = f"{plain.step * 1e3:.2f} ({plain.sweep * 1e3:.2f})"
        print(f"| {name} | {first} | {' | '.join(cells)} | {' | '.join(peaks)} |", flush=True)


if __name__ == "__main__":
    main()
