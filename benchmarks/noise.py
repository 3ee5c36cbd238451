"""Does gradient noise foretell what another batch takes? `python -m benchmarks.noise`.

Runs on real data with many batch sizes, each with the learning rate that is best for it, beside what the noise of the
run with one of them foretells, and beside the law of McCandlish et al. 2018 (arXiv:1812.06162) fitted to all.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import undertow
from undertow.noise import NoiseOfRun, tradeoff

SIZES = (4, 8, 16, 32, 64, 128, 256, 512)
OWN = 32
RATES = [2.0 ** (k / 2) for k in range(-8, 2)]
SEEDS = range(3)
EVERY = 4
LIMIT = 600


@dataclass(frozen=True)
class Task:
    """A model to train, its data, and the loss over all data that counts as there."""

    make: Callable[[], nn.Module]
    inputs: Tensor
    targets: Tensor
    target: float


def digits(make: Callable[[], nn.Module], target: float) -> Task:
    data = load_digits()
    return Task(make, torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target), target)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(256, 10)),
    )


TASKS = {
    "MLP 64-64-10, to a loss of 0.3": lambda: digits(mlp, 0.3),
    "CNN of two convolutions, to a loss of 0.3": lambda: digits(cnn, 0.3),
}


def steps(task: Task, batch: int, rate: float, seed: int, limit: int) -> tuple[int, list[undertow.NoiseOfBatch]]:
    """Steps of plain SGD until the loss over all data is the target; and the noise on the way, of batches of `OWN`."""
    torch.manual_seed(seed)
    model, told = task.make(), []
    for step in range(limit):
        with torch.no_grad():
            loss = F.cross_entropy(model(task.inputs), task.targets)
        if loss <= task.target or not loss.isfinite():
            return (step if loss <= task.target else limit), told
        chosen = torch.randint(len(task.inputs), (batch,))
        losses = F.cross_entropy(model(task.inputs[chosen]), task.targets[chosen], reduction="none")
        if batch == OWN and step % EVERY == 0:
            told.append(undertow.gradient_noise(losses, model))
        gradients = torch.autograd.grad(losses.mean(), [*model.parameters()])
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter -= rate * gradient
    return limit, told


def best(task: Task, batch: int) -> tuple[float, list[int]]:
    """The learning rate that takes fewest steps, and the steps that it takes with each seed."""
    found: dict[float, list[int]] = {}
    limit = LIMIT
    for rate in reversed(RATES):
        found[rate] = [steps(task, batch, rate, seed, limit)[0] for seed in SEEDS]
        limit = min(limit, 2 * int(statistics.mean(found[rate])) + 1)
    rate = min(found, key=lambda rate: statistics.mean(found[rate]))
    return rate, found[rate]


def main() -> None:
    torch.set_num_threads(1)
    for name, make in TASKS.items():
        task = make()
        runs = {batch: best(task, batch) for batch in SIZES}
        sizes, taken = zip(*[(batch, count) for batch, (_, counts) in runs.items() for count in counts], strict=True)
        law = tradeoff(sizes, taken)
        end, told = steps(task, OWN, runs[OWN][0], 0, LIMIT)
        noise = NoiseOfRun(range(0, end, EVERY), told, end)
        print(
            f"\n{name}: critical batch {law.critical:.0f} (95 %: {law.interval()[0]:.0f} to {law.interval()[1]:.0f});"
        )
        scales = ", ".join(f"{noise.scale.value:.0f}" for _, noise in noise.windows())
        print(f"noise scale along the run with batches of {OWN}: {scales}\n")
        print("| batch | best learning rate | steps measured | by the fitted law | foretold from the noise |")
        print("| --- | --- | --- | --- | --- |")
        for batch, (rate, counts) in runs.items():
            told = f"{law.steps(batch)} | {noise.steps(batch)}"
            print(f"| {batch} | {rate:.3f} | {statistics.mean(counts):.0f} | {told} |", flush=True)


if __name__ == "__main__":
    main()
