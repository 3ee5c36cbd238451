"""Products with Jacobians beside curvlinops and `torch.func`: `python -m benchmarks.linearize`.

One thread, float32, the ways compared one after the other in every round; medians of each and of the ratios within a
round, of the time that the process had on the processor, which other work changes little. Fused attention has no
forward derivative in PyTorch, so the peers run the GPT with the unfused one; ours is run with both, but for Hessians,
where fused attention has no second derivative for anyone. Peers are given what they can keep between products:
parameters as a dictionary, and, in columns of their own, the pulling function of `torch.func.vjp` or the recorded
gradient of a double backward pass.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from curvlinops import GGNLinearOperator, HessianLinearOperator
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, jvp, replace_all_batch_norm_modules_, vjp
from torch.nn.attention import SDPBackend, sdpa_kernel

import undertow
from benchmarks.models import Task, cnn, deep_mlp, gpt, mlp

SECONDS = 8.0
FEWEST = 7
OUTPUTS = 10

Product = Callable[[], object]
Curvature = GGNLinearOperator | HessianLinearOperator
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


def outputs_of(task: Task) -> Callable[[dict[str, Tensor]], Tensor]:
    return lambda weights: functional_call(task.model, weights, (task.inputs,))


def without_fusing(product: Product) -> Product:
    def run() -> object:
        with unfused():
            return product()

    return run


def our_gauss_newton(task: Task, v: dict[str, Tensor], attention: Attention) -> Product:
    with attention():
        outputs = task.model(task.inputs)
    operator = undertow.gauss_newton(F.cross_entropy(outputs, task.targets), outputs, task.model)
    return lambda: operator.push(v)


def curvlinops_product(kind: type[Curvature], task: Task, v: dict[str, Tensor]) -> Product:
    kept = [*task.model.parameters()]
    operator = kind(task.model, nn.CrossEntropyLoss(), kept, [(task.inputs, task.targets)], check_deterministic=False)
    vector = [*v.values()]
    return without_fusing(lambda: operator @ vector)


def functorch_gauss_newton(task: Task, v: dict[str, Tensor], *, kept: bool) -> Product:
    """Forward and back by `torch.func`, with the reverse half of the Jacobian made anew each time or kept."""
    weights, outputs = parameters(task.model), outputs_of(task)
    with unfused():
        pull = vjp(outputs, weights)[1]

    def slope(z: Tensor) -> Tensor:
        return vjp(lambda y: F.cross_entropy(y, task.targets), z)[1](torch.ones(()))[0]

    def product() -> object:
        z, pushed = jvp(outputs, (weights,), (v,))
        _, curved = jvp(slope, (z,), (pushed,))
        return (pull if kept else vjp(outputs, weights)[1])(curved)

    return without_fusing(product)


def our_hessian(task: Task, v: dict[str, Tensor]) -> Product:
    with unfused():
        operator = undertow.hessian(task.loss(), task.model)
    return lambda: operator.push(v)


def double_backward(task: Task, v: dict[str, Tensor]) -> Product:
    weights = [*task.model.parameters()]

    def product() -> object:
        gradients = torch.autograd.grad(task.loss(), weights, create_graph=True)
        return torch.autograd.grad(gradients, weights, [*v.values()])

    return without_fusing(product)


def double_backward_kept(task: Task, v: dict[str, Tensor]) -> Product:
    weights = [*task.model.parameters()]
    with unfused():
        gradients = torch.autograd.grad(task.loss(), weights, create_graph=True)
    return lambda: torch.autograd.grad(gradients, weights, [*v.values()], retain_graph=True)


def functorch_hessian(task: Task, v: dict[str, Tensor]) -> Product:
    weights, outputs = parameters(task.model), outputs_of(task)
    gradient = grad(lambda given: F.cross_entropy(outputs(given), task.targets))
    return without_fusing(lambda: jvp(gradient, (weights,), (v,)))


def our_jacobian(task: Task, attention: Attention) -> Product:
    def product() -> object:
        with attention():
            outputs = task.model(task.inputs)[0, :OUTPUTS]
        return undertow.linearize(outputs, task.model).pull(torch.eye(OUTPUTS))

    return product


def functorch_jacobian(task: Task) -> Product:
    weights, outputs = parameters(task.model), outputs_of(task)
    return without_fusing(lambda: jacrev(lambda given: outputs(given)[0, :OUTPUTS])(weights))


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
    start = time.process_time()
    way()
    return time.process_time() - start


def table(title: str, ways_of: Callable[[Task, Attention], dict[str, Product]], names: Iterable[str]) -> None:
    """One row a model: milliseconds of each way, then each other way's ratio to ours."""
    for number, name in enumerate(names):
        make, attention = MODELS[name]
        ways = ways_of(made(make), attention)
        if number == 0:
            others = [*ways][1:]
            head(title, *(f"{way}, ms" for way in ways), *(f"{way} / ours" for way in others))
        milliseconds, ratios = compared(ways)
        cells = [*(f"{value:.2f}" for value in milliseconds), *(f"{ratio:.2f}" for ratio in ratios)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def head(*columns: str) -> None:
    print(f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")


def direction(task: Task) -> dict[str, Tensor]:
    return {name: torch.randn_like(parameter) for name, parameter in task.model.named_parameters()}


def gauss_newton_products(task: Task, attention: Attention) -> dict[str, Product]:
    v = direction(task)
    return {
        "ours": our_gauss_newton(task, v, attention),
        "curvlinops": curvlinops_product(GGNLinearOperator, task, v),
        "torch.func": functorch_gauss_newton(task, v, kept=False),
        "torch.func, vjp kept": functorch_gauss_newton(task, v, kept=True),
    }


def hessian_products(task: Task, attention: Attention) -> dict[str, Product]:
    v = direction(task)
    return {
        "ours": our_hessian(task, v),
        "double backward": double_backward(task, v),
        "the same, gradient kept": double_backward_kept(task, v),
        "curvlinops": curvlinops_product(HessianLinearOperator, task, v),
        "torch.func jvp of grad": functorch_hessian(task, v),
    }


def jacobians(task: Task, attention: Attention) -> dict[str, Product]:
    return {"ours": our_jacobian(task, attention), "jacrev": functorch_jacobian(task)}


def main() -> None:
    torch.set_num_threads(1)
    once = [name for name, (_, attention) in MODELS.items() if attention is nullcontext]
    table("Gauss–Newton product", gauss_newton_products, MODELS)
    table("Hessian product", hessian_products, once)
    table(f"Jacobian of {OUTPUTS} outputs, forward pass included", jacobians, MODELS)


if __name__ == "__main__":
    main()
