"""Products with Jacobians beside curvlinops and `torch.func`: `python -m benchmarks.linearize`.

One thread, float32, the ways compared one after the other in every round; medians of each and of the ratios within a
round. Fused attention has no forward derivative in PyTorch, so the peers run the GPT with the unfused one; ours is
run with both. Peers are given what they can keep between products: parameters as a dictionary, the loss as a function.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from curvlinops import GGNLinearOperator
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, replace_all_batch_norm_modules_, vjp
from torch.nn.attention import SDPBackend, sdpa_kernel

import undertow
from benchmarks.models import Task, cnn, deep_mlp, gpt, mlp

SECONDS = 12.0
FEWEST = 7
OUTPUTS = 10

Product = Callable[[], object]
Attention = Callable[[], AbstractContextManager[None]]


def unfused() -> AbstractContextManager[None]:
    return sdpa_kernel(SDPBackend.MATH)


MODELS: dict[str, tuple[Callable[[], Task], Attention]] = {
    "MLP 784-256-256-256-10, batch 128": (mlp, nullcontext),
    "30-layer MLP of width 64, batch 128": (deep_mlp, nullcontext),
    "3-convolution CNN 32×32, batch 64": (cnn, nullcontext),
    "GPT 4 layers, width 128, 128 tokens, batch 16": (gpt, nullcontext),
    "the same, attention unfused for us as well": (gpt, unfused),
}


def made(make: Callable[[], Task]) -> Task:
    """A task whose batch normalisation uses the batch and keeps no statistics, which `torch.func` could not update."""
    torch.manual_seed(0)
    task = make()
    replace_all_batch_norm_modules_(task.model)
    return task


def parameters(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def our_gauss_newton(task: Task, v: dict[str, Tensor], attention: Attention) -> Product:
    with attention():
        outputs = task.model(task.inputs)
    operator = undertow.gauss_newton(F.cross_entropy(outputs, task.targets), outputs, task.model)
    return lambda: operator.push(v)


def curvlinops_gauss_newton(task: Task, v: dict[str, Tensor]) -> Product:
    kept = [*task.model.parameters()]
    operator = GGNLinearOperator(
        task.model, nn.CrossEntropyLoss(), kept, [(task.inputs, task.targets)], check_deterministic=False
    )
    vector = [*v.values()]

    def product() -> object:
        with unfused():
            return operator @ vector

    return product


def functorch_gauss_newton(task: Task, v: dict[str, Tensor]) -> Product:
    kept = parameters(task.model)

    def outputs(weights: dict[str, Tensor]) -> Tensor:
        return functional_call(task.model, weights, (task.inputs,))

    def slope(z: Tensor) -> Tensor:
        return vjp(lambda y: F.cross_entropy(y, task.targets), z)[1](torch.ones(()))[0]

    def product() -> object:
        with unfused():
            z, pushed = jvp(outputs, (kept,), (v,))
            _, curved = jvp(slope, (z,), (pushed,))
            return vjp(outputs, kept)[1](curved)

    return product


def our_jacobian(task: Task, attention: Attention) -> Product:
    def product() -> object:
        with attention():
            outputs = task.model(task.inputs)[0, :OUTPUTS]
        return undertow.linearize(outputs, task.model).pull(torch.eye(OUTPUTS))

    return product


def functorch_jacobian(task: Task) -> Product:
    kept = parameters(task.model)

    def outputs(weights: dict[str, Tensor]) -> Tensor:
        return functional_call(task.model, weights, (task.inputs,))[0, :OUTPUTS]

    def product() -> object:
        with unfused():
            return jacrev(outputs)(kept)

    return product


def compared(ways: dict[str, Product]) -> tuple[list[float], list[float]]:
    """Median milliseconds of each way, and medians of the others' ratios to the first."""
    for way in ways.values():
        way()
    seconds: list[list[float]] = []
    stop = time.perf_counter() + SECONDS
    while len(seconds) < FEWEST or time.perf_counter() < stop:
        seconds.append([timed(way) for way in ways.values()])
    columns = [*zip(*seconds, strict=True)]
    ratios = [statistics.median(row[i] / row[0] for row in seconds) for i in range(1, len(ways))]
    return [statistics.median(column) * 1e3 for column in columns], ratios


def timed(way: Product) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def row(name: str, ways: dict[str, Product]) -> None:
    milliseconds, ratios = compared(ways)
    cells = [*(f"{value:.2f}" for value in milliseconds), *(f"{ratio:.2f}" for ratio in ratios)]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def head(*columns: str) -> None:
    print(f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")


def main() -> None:
    torch.set_num_threads(1)
    head(
        "Gauss–Newton product", "ours, ms", "curvlinops, ms", "torch.func, ms", "curvlinops / ours", "torch.func / ours"
    )
    for name, (make, attention) in MODELS.items():
        task = made(make)
        v = {name: torch.randn_like(parameter) for name, parameter in task.model.named_parameters()}
        ways = {
            "ours": our_gauss_newton(task, v, attention),
            "curvlinops": curvlinops_gauss_newton(task, v),
            "torch.func": functorch_gauss_newton(task, v),
        }
        row(name, ways)
    head(f"Jacobian of {OUTPUTS} outputs, forward pass included", "ours, ms", "jacrev, ms", "jacrev / ours")
    for name, (make, attention) in MODELS.items():
        task = made(make)
        row(name, {"ours": our_jacobian(task, attention), "torch.func": functorch_jacobian(task)})


if __name__ == "__main__":
    main()
