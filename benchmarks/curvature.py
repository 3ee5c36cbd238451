"""Top eigenvalue and trace of Hessians beside PyHessian: python -m benchmarks.curvature

Each on the same trained model and batch, one thread, interleaved. PyHessian iterates to its default tolerance of 1e-3.
What both come to is held against references: the eigenvalue to about 1e-7, the trace by 600
products. The error of a trace is that of ten seeds; times are for as many products as each was given.
"""

from __future__ import annotations

import contextlib
import io
import math
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from pyhessian import hessian as PyHessian
from torch.nn.functional import cross_entropy

from benchmarks.models import MODELS, Task
from undertow.curvature import curvature, eigen, trace

ROUNDS = 5
TRACES = 10
PRODUCTS = 24


def timed(work: Callable[[], float]) -> tuple[float, float]:
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        value = work()
    return time.perf_counter() - began, value


def trained(task: Task) -> Task:
    """Thirty steps down, so that the Hessian is that of a network in training."""
    optimizer = torch.optim.SGD(task.model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(30):
        optimizer.zero_grad()
        task.loss().backward()
        optimizer.step()
    task.model.eval()  # as PyHessian would put it
    return task


def peer(task: Task) -> PyHessian:
    return PyHessian(task.model, cross_entropy, data=(task.inputs, task.targets), cuda=False)


def eigenvalues(task: Task, batch: tuple[torch.Tensor, torch.Tensor]) -> str:
    true = eigen(curvature(task.model, cross_entropy, batch).operator, tolerance=1e-4).largest.value
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(timed(lambda: curvature(task.model, cross_entropy, batch).eigen().largest.value))
        theirs.append(timed(lambda: peer(task).eigenvalues()[0][0]))
    return _row(ours, theirs, true)


def _row(ours: list[tuple[float, float]], theirs: list[tuple[float, float]], true: float) -> str:
    ratio = statistics.median(t / o for (o, _), (t, _) in zip(ours, theirs, strict=True))
    parts = []
    for seen in (ours, theirs):
        error = math.sqrt(statistics.fmean((value / true - 1) ** 2 for _, value in seen))
        parts.append(f"{statistics.median(t for t, _ in seen):.2f} s, off by {100 * error:.3f} %")
    return f"{parts[0]} | {parts[1]} | {ratio:.1f}"


def own_trace(task: Task, batch: tuple[torch.Tensor, torch.Tensor], seed: int) -> float:
    return trace(curvature(task.model, cross_entropy, batch).operator, PRODUCTS, seed=seed).whole.value


def traces(task: Task, batch: tuple[torch.Tensor, torch.Tensor]) -> str:
    operator = curvature(task.model, cross_entropy, batch).operator
    true = trace(operator, 300, seed=99).whole.value
    ours, theirs = [], []
    for seed in range(TRACES):
        ours.append(timed(partial(own_trace, task, batch, seed)))
        torch.manual_seed(seed)
        theirs.append(timed(lambda: statistics.fmean(peer(task).trace(maxIter=100))))
    return _row(ours, theirs, true)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| model | what | ours | PyHessian | times as fast |\n| --- | --- | --- | --- | --- |")
    for name, make in MODELS.items():
        if "GPT" in name:
            continue
        task = trained(make())
        batch = task.inputs, task.targets
        print(f"| {name} | top eigenvalue | {eigenvalues(task, batch)} |", flush=True)
        print(f"| {name} | trace | {traces(task, batch)} |", flush=True)


if __name__ == "__main__":
    main()
