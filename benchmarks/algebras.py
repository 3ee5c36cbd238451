"""What each algebra costs, and whether what it says is true: `python -m benchmarks.algebras`.

One thread, eager, ways compared one after the other in every round, medians of the ratios within a round.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

import undertow
from benchmarks.models import MODELS, Task
from undertow.engine.algebras import Algebra, Gradient, Magnitude, MaxProduct, Rounded, Scaled
from undertow.engine.graph import Graph

SECONDS = 6.0
FEWEST = 9

COSTS: dict[str, Algebra] = {
    "scaled": Scaled(),
    "rounded to float16": Rounded(torch.float16, 1024.0),
    "magnitude": Magnitude(),
}

Gradients = dict[str, Tensor]


def made(name: str) -> Task:
    torch.manual_seed(0)
    return ALL[name]()


def fading() -> Task:
    """12 layers of width 64 with sigmoids, batch 128: the gradient of its first layers is below what float16 holds."""
    layers = [part for _ in range(12) for part in (nn.Linear(64, 64), nn.Sigmoid())]
    return Task(nn.Sequential(*layers, nn.Linear(64, 10)), torch.randn(128, 64), torch.randint(10, (128,)))


ALL: dict[str, Callable[[], Task]] = {**MODELS, "12-layer sigmoid MLP of width 64, batch 128": fading}


# Costs


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def costs(task: Task) -> Iterator[str]:
    """Milliseconds of a gradient sweep, and the ratio of each algebra's to it."""
    loss = task.loss()
    taken: dict[str, list[float]] = {"gradient": [], **{name: [] for name in COSTS}}
    stop = time.perf_counter() + SECONDS
    while len(taken["gradient"]) < FEWEST or time.perf_counter() < stop:
        for name, algebra in {"gradient": Gradient(), **COSTS}.items():
            taken[name].append(seconds(lambda algebra=algebra: undertow.sweep(loss, algebra)))
    plain = taken.pop("gradient")
    yield f"{statistics.median(plain) * 1e3:.1f}"
    for values in taken.values():
        yield f"{statistics.median(v / p for v, p in zip(values, plain, strict=True)):.2f}"


def strongest(name: str) -> None:
    """Seconds and peak memory of this process: the forward pass, and then the sweep."""
    torch.set_num_threads(1)
    loss = made(name).loss()
    before = peak()
    taken = seconds(lambda: undertow.sweep(loss, MaxProduct()))
    print(f"{taken:.1f} | {before:.2f} | {peak():.2f}")


def peak() -> float:
    """The most memory that this program has held, in GB; `getrusage` would tell its parent's."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 2**20


def in_a_process_of_its_own(name: str) -> str:
    command = [sys.executable, "-m", "benchmarks.algebras", name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


# The rounding bound


def backward(task: Task, dtype: torch.dtype, scale: float = 1.0) -> Gradients:
    """PyTorch's own gradients, with the model and its data in this dtype and the loss in float32 or wider."""
    model, inputs = task.model.to(dtype), task.inputs
    model.zero_grad(set_to_none=True)
    outputs = model(inputs.to(dtype) if inputs.is_floating_point() else inputs)
    loss = F.cross_entropy(outputs.to(torch.promote_types(dtype, torch.float32)), task.targets)
    (loss * scale).backward()
    return {name: parameter.grad.double() / scale for name, parameter in model.named_parameters()}


def exact(name: str) -> Gradients:
    """The backward pass in float64, through the tensors that the forward pass in float32 saved."""
    saved: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        made(name).loss()
    left = iter(saved)

    def swap(tensor: Tensor) -> Tensor:
        narrow = next(left)
        assert narrow.shape == tensor.shape
        return narrow.detach().to(tensor.dtype)

    with saved_tensors_hooks(swap, lambda tensor: tensor):
        return backward(made(name), torch.float64)


def bound(name: str) -> Iterator[str]:
    """Medians over leaves, as `BOUND` has them, and how many entries are beyond the bound."""
    task = made(name)
    found, truth = undertow.sweep(task.loss(), Magnitude(), model=task.model), exact(name)
    errors = {leaf: (bounds.gradient.double() - truth[leaf]).abs() for leaf, bounds in found.items()}
    yield middle(float(errors[leaf].norm() / truth[leaf].norm()) for leaf in found if truth[leaf].any())
    yield middle(bounds.relative_error for bounds in found.values())
    yield middle(float(b.error.norm() / errors[leaf].norm().clamp_min(1e-300)) for leaf, b in found.items())
    yield middle(bounds.cancellation for bounds in found.values())
    beyond = sum(int((errors[leaf] > bounds.error.double()).sum()) for leaf, bounds in found.items())
    yield f"{beyond} of {sum(error.numel() for error in errors.values()):,}"


def middle(values: Iterator[float]) -> str:
    return f"{statistics.median(values):.1e}"


# Narrow dtypes


def narrowed(name: str, dtype: torch.dtype) -> Iterator[str]:
    """What the rounded sweep and `undertow.precision` say, and what a real pass in that dtype then does."""
    task = made(name)
    loss = task.loss()
    said = undertow.precision(loss, dtype, model=task.model)
    yield f"{said.loss_scale:g}" if said.loss_scale is not None else "none works"
    real = by_hooks if dtype.itemsize == 1 else backward
    for scale in (1.0, said.tried):
        found = undertow.sweep(loss, Rounded(dtype, scale), model=task.model)
        full = {leaf: narrow.exact.double() for leaf, narrow in found.items() if leaf in said.gradients}
        predicted = {leaf: found[leaf].rounded.double() / scale for leaf in full}
        happened = real(made(name), dtype, scale)
        for gradients in (predicted, happened):
            yield f"{worst(gradients, full):.2g}, {lost(gradients, full):.1%}"


def worst(gradients: Mapping[str, Tensor], full: Gradients) -> float:
    return max(float((gradients[leaf] - full[leaf]).norm() / full[leaf].norm()) for leaf in full if full[leaf].any())


def lost(gradients: Mapping[str, Tensor], full: Gradients) -> float:
    gone = sum(int(((gradients[leaf] == 0) & (full[leaf] != 0)).sum()) for leaf in full)
    return gone / sum(int((full[leaf] != 0).sum()) for leaf in full)


def by_hooks(task: Task, dtype: torch.dtype, scale: float) -> Gradients:
    """PyTorch's own pass, with what each of its nodes sends on rounded by a hook: no processor here computes in fp8."""
    largest = 464.0 if dtype is torch.float8_e4m3fn else torch.inf  # beyond, PyTorch would saturate there

    def narrow(parts: tuple[Tensor | None, ...], _: object) -> tuple[Tensor | None, ...]:
        return tuple(None if part is None else rounded(part) for part in parts)

    def rounded(part: Tensor) -> Tensor:
        return torch.where(part.abs() > largest, part * torch.inf, part.to(dtype).to(part.dtype))

    loss = task.loss()
    for node in Graph.read(loss).nodes:
        if node.next_functions:
            node.register_hook(narrow)
    (loss * scale).backward()
    return {name: parameter.grad.double() / scale for name, parameter in task.model.named_parameters()}


# Tables


def table(heads: list[str], rows: Iterator[list[str]]) -> None:
    print("\n| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    table(["model", "gradient, ms", *COSTS], ([name, *costs(made(name))] for name in MODELS))
    table(
        ["model", "max-product, s", "GB before the sweep", "GB at its peak"],
        ([name, in_a_process_of_its_own(name)] for name in MODELS),
    )
    table(
        BOUND,
        ([name, *bound(name)] for name in ALL),
    )
    table(
        NARROW,
        ([name, str(kind).removeprefix("torch."), *narrowed(name, kind)] for name in ALL for kind in KINDS),
    )


BOUND = ["model", "true error", "bound", "bound over error", "cancellation", "entries beyond the bound"]
NARROW = ["model", "dtype", "loss scale", "unscaled: predicted", "real", "scaled: predicted", "real"]
KINDS = (torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)


if __name__ == "__main__":
    strongest(sys.argv[1]) if sys.argv[1:] else main()
