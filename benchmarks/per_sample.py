"""The norm of every example's gradient, beside BackPACK and torch.func: `python -m benchmarks.per_sample`.

Forward pass and norms, one thread, the ways one after the other in every round, each twice, of which the second counts:
none pays for what the one before it left in the caches. Medians of the ratios within a round.
Times are those that the process had on the processor, which other work on the machine changes little.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

import undertow
from benchmarks.models import GPT, deep_mlp, mlp

SECONDS = 10.0
FEWEST = 7
AGREE = 1e-3


@dataclass(frozen=True)
class Batch:
    """A model, and examples with one target each or, of sequences, one a token."""

    model: nn.Module
    inputs: Tensor
    targets: Tensor

    def loss_of(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none")

    def losses(self) -> Tensor:
        """One row an example."""
        return self.loss_of(self.model(self.inputs), self.targets).view(len(self.inputs), -1).mean(1)


class Last(nn.Module):
    """A recurrent layer, and a head on its last output."""

    def __init__(self, recurrence: nn.RNNBase):
        super().__init__()
        self.recurrence = recurrence
        self.head = nn.Linear(recurrence.hidden_size, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrence(x)[0][:, -1])


class Elman(nn.Module):
    """A recurrent layer written out: the same two weights at each time, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.recur, self.head = nn.Linear(32, 128), nn.Linear(128, 128), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 128)
        for step in x.unbind(1):
            state = torch.tanh(self.enter(step) + self.recur(state))
        return self.head(state)


class Sequences(nn.Module):
    """A GPT that keeps examples and tokens apart."""

    def __init__(self, *, tied: bool):
        super().__init__()
        self.gpt = GPT()
        if tied:
            self.gpt.head.weight = self.gpt.token.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.gpt(x).view(*x.shape, -1)


def of_task(make: Callable[[], object]) -> Batch:
    task = make()
    return Batch(task.model, task.inputs, task.targets)


def cnn() -> Batch:
    """Three convolutions on 32×32, without normalisation (over the batch it would mix examples), batch 64."""
    model = nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )
    return Batch(model, torch.randn(64, 3, 32, 32), torch.randint(10, (64,)))


def recurrent(model: nn.Module) -> Batch:
    return Batch(model, torch.randn(64, 20, 32), torch.randint(10, (64,)))


def gpt(*, tied: bool) -> Batch:
    return Batch(Sequences(tied=tied), torch.randint(64, (16, 128)), torch.randint(64, (16, 128)))


BATCHES: dict[str, Callable[[], Batch]] = {
    "MLP 784-256-256-256-10, batch 128": partial(of_task, mlp),
    "30-layer MLP of width 64, batch 128": partial(of_task, deep_mlp),
    "3-convolution CNN 32×32, batch 64": cnn,
    "LSTM of width 64, 20 steps, batch 64": lambda: recurrent(Last(nn.LSTM(32, 64, batch_first=True))),
    "Elman net of width 128 written out, 20 steps, batch 64": lambda: recurrent(Elman()),
    "GPT 4 layers, width 128, 128 tokens, batch 16": partial(gpt, tied=False),
    "the same, its head tied to its embedding": partial(gpt, tied=True),
}

Squares = Callable[[], Tensor]
Work = Callable[[], object]


def ours(batch: Batch) -> Squares:
    return lambda: undertow.per_sample_norms(batch.losses(), batch.model).total()


def by_vmap(batch: Batch) -> Squares:
    """`torch.func`'s own recipe: a gradient an example, then norms."""

    def loss(parameters: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        outputs = functional_call(batch.model, parameters, (inputs.unsqueeze(0),))
        return batch.loss_of(outputs, targets.unsqueeze(0)).mean()

    each = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")

    def squares() -> Tensor:
        parameters = {name: parameter.detach() for name, parameter in batch.model.named_parameters()}
        gradients = each(parameters, batch.inputs, batch.targets)
        return torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0)

    return squares


def _of_modules(model: nn.Module) -> nn.Module:
    """The model as BackPACK needs it: modules in a row, each of a kind that it knows, each called once."""
    from backpack.custom_module.reduce_tuple import ReduceTuple
    from backpack.custom_module.slicing import Slicing

    if type(model) is Last:
        return nn.Sequential(model.recurrence, ReduceTuple(0), Slicing((slice(None), -1)), model.head)
    if type(model) is nn.Sequential:
        return model
    raise NotImplementedError("its forward pass is code, or it has layers that BackPACK does not know")


def by_backpack(batch: Batch) -> Squares:
    """BackPACK's `BatchL2Grad`, on the sum of the losses."""
    from backpack import backpack, extend
    from backpack.extensions import BatchL2Grad

    model, criterion = extend(_of_modules(batch.model)), extend(nn.CrossEntropyLoss(reduction="sum"))

    def squares() -> Tensor:
        model.zero_grad(set_to_none=True)
        with backpack(BatchL2Grad()):
            criterion(model(batch.inputs), batch.targets).backward()
        return torch.stack([parameter.batch_l2 for parameter in model.parameters()]).sum(0)

    return squares


def forward(batch: Batch) -> Work:
    """The forward pass alone."""
    return batch.losses


def plainly(batch: Batch) -> Work:
    """An ordinary training step's backward pass, which no norm of an example's is had from."""

    def backward() -> None:
        batch.model.zero_grad(set_to_none=True)
        batch.losses().sum().backward()

    return backward


def cotangents_alone(batch: Batch) -> Work:
    """The forward pass, and the gradient by what the first layer gave: what no way by backpropagation does without."""
    layers = [layer for layer in batch.model.modules() if [*layer.parameters()] and not [*layer.children()]]
    given: list[Tensor] = []

    def backward() -> None:
        with layers[0].register_forward_hook(
            lambda _, __, out: given.append(out[0] if isinstance(out, tuple) else out)
        ):
            losses = batch.losses()
        torch.autograd.grad(losses.sum(), given.pop(0))
        given.clear()

    return backward


PEERS: dict[str, Callable[[Batch], Squares]] = {"BackPACK": by_backpack, "torch.func": by_vmap}
FORWARD, FLOOR, PLAIN = "forward", "no weights", "`loss.backward()`"
WAYS = (FORWARD, FLOOR, PLAIN, "ours", *PEERS)


def agreeing(make: Callable[[], Batch]) -> Iterator[tuple[str, Squares]]:
    """The ways that can do this model and are installed, ours first; each shown to give the same numbers."""
    torch.manual_seed(0)
    reference = None
    for name, way in {"ours": ours, **PEERS}.items():
        torch.manual_seed(0)
        with suppress(NotImplementedError, ImportError):
            squares = way(make())
            found = squares().detach()
            reference = found if reference is None else reference
            torch.testing.assert_close(found, reference, rtol=AGREE, atol=0.0)
            yield name, squares


def seconds(work: Work) -> float:
    work()
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(ways: dict[str, Work]) -> dict[str, list[float]]:
    """Seconds of each way, round by round."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    stop = time.perf_counter() + SECONDS
    while len(taken["ours"]) < FEWEST or time.perf_counter() < stop:
        for name, way in ways.items():
            taken[name].append(seconds(way))
    return taken


def ratio(taken: dict[str, list[float]], name: str) -> str:
    if name not in taken:
        return "cannot"
    return f"{statistics.median(t / o for t, o in zip(taken[name], taken['ours'], strict=True)):.2f}"


def main() -> None:
    torch.set_num_threads(1)
    heads = [*(f"{way}, ms" for way in WAYS), *(f"{peer} over ours" for peer in PEERS)]
    print(f"| model | {' | '.join(heads)} |")
    print("| --- |" + " --- |" * len(heads))
    for name, make in BATCHES.items():
        without = {FORWARD: forward(make()), FLOOR: cotangents_alone(make()), PLAIN: plainly(make())}
        taken = measure({**dict(agreeing(make)), **without})
        times = {way: f"{statistics.median(values) * 1e3:.1f}" for way, values in taken.items()}
        cells = [*(times.get(way, "–") for way in WAYS), *(ratio(taken, peer) for peer in PEERS)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
