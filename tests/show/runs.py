"""Runs made to be shown: real networks, trained for a few steps and kept as an observer would keep them."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undertow.diagnose.finding import Finding, Outcome, Possibility, Review, Symptom
from undertow.engine.backward import backward
from undertow.engine.flow import Flow
from undertow.engine.graph import Operation, Topology
from undertow.engine.plan import Plan
from undertow.store.records import Activation, Event, LossHead, OptimizerState, Parameter, Probed
from undertow.store.run import Run
from undertow.store.writer import Writer, facts_of

Loss = Callable[[], Tensor]


@dataclass
class Training:
    """Something that trains: its models, and for each site the loss and the optimizer that follows it."""

    model: nn.Module
    losses: dict[str, Loss]
    rate: float = 0.1
    steps: int = 40
    observed: Sequence[int] = (0, 20, 39)
    adam: bool = False
    ranges: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


def kept(folder: Path, training: Training) -> Run:
    """Train, keep what was seen, and read it back."""
    writer = Writer(folder)
    parameters = dict(training.model.named_parameters())
    optimizer = (torch.optim.Adam if training.adam else torch.optim.SGD)(parameters.values(), lr=training.rate)
    writer.parameters([_parameter(training.model, name, p) for name, p in parameters.items()])
    writer.optimizers([OptimizerState(type(optimizer).__name__, {"lr": training.rate, "weight_decay": 0})])
    writer.sites(list(training.losses))
    topologies: list[Topology] = []
    rows = []
    start = time.monotonic()
    _bracket(training)
    for step in range(training.steps):
        before = {name: p.detach().clone() for name, p in parameters.items()}
        optimizer.zero_grad()
        for site, loss_of in enumerate(training.losses.values()):
            training.ranges.clear()
            loss = loss_of()
            rows.append((step, site, loss.item(), time.monotonic() - start))
            flow = _named(backward(loss, model=training.model, calculus={}), loss, training)
            if step in training.observed:
                if flow.topology not in topologies:
                    topologies.append(flow.topology)
                    writer.topology(len(topologies) - 1, flow.topology)
                facts = facts_of(flow.seeds, 1.0, Probed(LossHead(_head(flow), {}), activations=_activations(flow)))
                number = topologies.index(flow.topology)
                keys = len(flow.topology.edges) + sum(map(len, flow.plan.sums))
                writer.observed(step, site, number, loss.item(), flow.values, keys, facts)
        optimizer.step()
        if step % 4 == 0:
            writer.updates(step, _updates(parameters, before, training.rate))
    writer.losses(rows)
    writer.meta(
        steps=training.steps, state="finished", argv=["train.py"], seconds=12.5, torch=torch.__version__, device="cpu"
    )
    writer.close()
    return Run(folder)


def _parameter(model: nn.Module, name: str, p: nn.Parameter) -> Parameter:
    module = name.rpartition(".")[0]
    kind = type(model.get_submodule(module)).__name__
    return Parameter(name, tuple(p.shape), str(p.dtype).removeprefix("torch."), p.requires_grad, 0, module, kind, True)


def _updates(parameters, before, rate):
    gradients = {name: torch.zeros(()) if p.grad is None else p.grad for name, p in parameters.items()}
    return {
        "weight": [float(before[name].norm()) for name in parameters],
        "gradient": [float(g.norm()) for g in gradients.values()],
        "update": [float((p.detach() - before[name]).norm()) for name, p in parameters.items()],
        "lost": [0.0 for _ in parameters],
        "carried": [0.0 for _ in parameters],
        "silent": [float((g == 0).float().mean()) for g in gradients.values()],
        "rate": [rate for _ in parameters],
        "decay": [0.0 for _ in parameters],
        "angle": [0.0 for _ in parameters],
        "turn": [1.2 + 0.1 * (place % 3) for place, _ in enumerate(parameters)],
    }


def _bracket(training: Training) -> None:
    """Keep, for each module, the ranges of sequence numbers that its calls recorded."""
    now = torch.autograd._get_sequence_nr
    for path, module in training.model.named_modules():
        opened: list[int] = []
        module.register_forward_pre_hook(lambda *_, opened=opened: opened.append(now()))
        module.register_forward_hook(
            lambda *_, path=path, opened=opened: training.ranges.setdefault(path, []).append((opened.pop(), now()))
        )


def _named(flow: Flow, loss: Tensor, training: Training) -> Flow:
    from undertow.engine.graph import Graph

    nodes = Graph.read(loss).nodes
    lines = {path: 10 + n for n, (path, _) in enumerate(training.model.named_modules())}

    def rename(index: int, operation: Operation) -> Operation:
        if operation.leaf:
            return replace(operation, module=operation.leaf.rpartition(".")[0])
        number = nodes[index]._sequence_nr() if operation.name != "AccumulateGrad" else -1
        spans = [(b - a, path) for path, ranges in training.ranges.items() for a, b in ranges if a <= number < b]
        path = min(spans)[1] if spans else ""
        return replace(operation, module=path, source=f"train.py:{lines[path] if spans else 90}")

    topology = flow.topology.named(rename)
    plan = Plan(topology)
    values = dict(flow.values)
    for index, sums in enumerate(plan.sums):
        for _, key in sums:
            values.setdefault(key, math.hypot(*[flow.contributions[edge] for edge in flow.arriving[index]]))
    return replace(flow, plan=plan, values=values)


def _head(flow: Flow) -> tuple[int, ...]:
    """What comes before the first operation of a module."""
    first = next((index for index, op in enumerate(flow.topology.operations) if op.module), 0)
    return tuple(range(first))


def _activations(flow: Flow) -> list[Activation]:
    found = []
    for index, operation in enumerate(flow.topology.operations):
        if operation.name in {"SigmoidBackward0", "ReluBackward0", "TanhBackward0", "GeluBackward0"}:
            units = operation.shapes[0][-1]
            flat = np.arange(units) % 7 == 0 if operation.name == "ReluBackward0" else np.zeros(units, bool)
            found.append(Activation(index, units, flat, 64, 0.5 / (1 + index % 5), 0.4, 0.8, 0.1))
    return found


def data(features: int = 16, classes: int = 4, size: int = 64) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(size, features)
    return x, (x @ torch.randn(features, classes)).argmax(1)


def sigmoids(folder: Path, depth: int = 12) -> Run:
    """A gradient that vanishes by saturation."""
    x, y = data()
    torch.manual_seed(1)
    layers: list[nn.Module] = [nn.Linear(16, 32), nn.Sigmoid()]
    for _ in range(depth - 2):
        layers += [nn.Linear(32, 32), nn.Sigmoid()]
    model = nn.Sequential(*layers, nn.Linear(32, 4))
    return kept(folder, Training(model, {"train.py:90": lambda: F.cross_entropy(model(x), y)}))


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm, self.fc1, self.fc2 = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.fc2(F.relu(self.fc1(self.norm(x))))


def residual(folder: Path, depth: int = 3) -> Run:
    """A small residual net that learns."""
    x, y = data()
    torch.manual_seed(1)
    model = nn.Sequential()
    model.add_module("stem", nn.Linear(16, 32))
    model.add_module("blocks", nn.Sequential(*[Residual(32) for _ in range(depth)]))
    model.add_module("head", nn.Linear(32, 4))
    return kept(folder, Training(model, {"train.py:90": lambda: F.cross_entropy(model(x), y)}))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        q, k, v = (p.view(n, t, self.heads, -1).transpose(1, 2) for p in self.qkv(x).chunk(3, -1))
        weights = (q @ k.transpose(-2, -1) / math.sqrt(c)).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, t, c))


class Layer(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.ln1, self.ln2, self.attn = nn.LayerNorm(width), nn.LayerNorm(width), Attention(width, 2)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class Transformer(nn.Module):
    def __init__(self, depth: int = 2, width: int = 16):
        super().__init__()
        self.token, self.position = nn.Embedding(20, width), nn.Parameter(torch.randn(8, width))
        self.h = nn.ModuleList(Layer(width) for _ in range(depth))
        self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, 20)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token(ids) + self.position
        for layer in self.h:
            x = layer(x)
        return self.head(self.ln(x))


def transformer(folder: Path, depth: int = 2) -> Run:
    torch.manual_seed(1)
    ids = torch.randint(0, 20, (4, 8))
    model = Transformer(depth)
    loss = lambda: F.cross_entropy(model(ids).flatten(0, 1), ids.flatten())  # noqa: E731
    return kept(folder, Training(model, {"train.py:90": loss}, rate=1e-2, adam=True))


def deep(folder: Path, depth: int = 340) -> Run:
    """A thousand operations in three hundred and forty layers."""
    x, y = data()
    torch.manual_seed(1)
    layers: list[nn.Module] = [nn.Linear(16, 8)]
    for _ in range(depth - 2):
        layers += [nn.Linear(8, 8), nn.Tanh()]
    model = nn.Sequential(*layers, nn.Linear(8, 4))
    return kept(
        folder, Training(model, {"train.py:90": lambda: F.cross_entropy(model(x), y)}, steps=4, observed=(0, 3))
    )


def functional(folder: Path, depth: int = 500) -> Run:
    """A thousand operations without a module around them."""
    x, _ = data()
    model = nn.Linear(16, 16)

    def loss() -> Tensor:
        h = model(x)
        for _ in range(depth):
            h = torch.sin(h * 1.5)
        return h.square().mean()

    return kept(folder, Training(model, {"train.py:90": loss}, steps=2, observed=(0, 1)))


def gan(folder: Path) -> Run:
    """Two losses at two sites, trained in turn."""
    torch.manual_seed(1)
    model = nn.ModuleDict(
        {
            "G": nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16)),
            "D": nn.Sequential(nn.Linear(16, 32), nn.LeakyReLU(), nn.Linear(32, 1)),
        }
    )
    real, noise = data()[0], torch.randn(64, 8)

    def judging() -> Tensor:
        return F.softplus(-model["D"](real)).mean() + F.softplus(model["D"](model["G"](noise).detach())).mean()

    def making() -> Tensor:
        return F.softplus(-model["D"](model["G"](noise))).mean()

    return kept(folder, Training(model, {"gan.py:31": judging, "gan.py:38": making}))


def empty(folder: Path) -> Run:
    """A script that trained nothing."""
    writer = Writer(folder)
    writer.event(Event(0, "no-backward", {}))
    writer.meta(state="finished", seconds=0.1)
    writer.close()
    return Run(folder)


def not_finite(folder: Path) -> Run:
    """A run whose norms are infinite and not numbers in places."""
    x, y = data()
    model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))

    def loss() -> Tensor:
        out = model(x)
        return F.cross_entropy(out * torch.where(out > 2, math.inf, 1.0), y) * 1.0

    return kept(folder, Training(model, {"train.py:90": loss}, rate=50.0, steps=6, observed=range(6)))


def outcome(run: Run, kind: str = "stalled") -> Outcome:
    return Outcome(kind, 1.39, 1.38, math.log(4), 0.2, run.steps)


def sick(run: Run) -> Review:
    cause = Finding(
        code="UT101",
        name="vanishing-gradient",
        family="signal",
        message="The gradient of 0.weight is 9.6 decades below the loss; 6.7 of them were lost in saturated sigmoids.",
        module="11",
        operation="SigmoidBackward0",
        source="train.py:14",
        evidence={
            "parameter": "0.weight",
            "decades": -9.63,
            "by operation": {"SigmoidBackward0": -6.7, "AddmmBackward0": -2.9},
        },
        advice="Replace the sigmoids by ReLU or GELU with He initialisation, or put a normalisation before each of "
        "them. Try `nn.ReLU()` with `nn.init.kaiming_normal_(layer.weight)`.",
        symptoms=(
            Symptom("UT108", "plateau-at-chance", "The loss stands at 1.386, which is what guessing costs."),
            Symptom("UT302", "updates-too-small", "10 of 12 weights move by less than 1e-7 of themselves a step."),
        ),
    )
    remark = Finding(
        "UT401", "inputs-not-scaled", "data", "Two of 16 features have a spread 30 times the others'.", harm=0.1
    )
    summary = "The gradient vanishes on its way through 11 sigmoids, so the first layers do not move."
    return Review("sick", summary, cause, (cause,), (remark,), "", outcome(run), ("The run was broken off by Ctrl-C.",))


def healthy(run: Run) -> Review:
    return Review(
        "healthy", "The loss fell from 1.39 to 0.21, and every layer moved.", None, (), (), "", outcome(run, "learned")
    )


def nothing(_: Run) -> Review:
    summary = "No backward pass was seen, so backpropagation is not this script's problem."
    return Review("not-applicable", summary, None, (), (), "", Outcome("unknown", *[math.nan] * 4, 0))


def hostile(run: Run) -> Review:
    """A review whose every word tries to break out of the page."""
    bad = (
        "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">[bold]{{7*7}}"
    )
    cause = Finding(
        "UT101", bad, bad, bad, bad, bad, bad, {bad: bad, "x": {bad: math.nan}}, 1.0, bad, (Symptom(bad, bad, bad),)
    )
    return Review(
        "sick", bad, cause, (cause, cause), (cause,), bad, outcome(run), (bad,), (bad,), (Possibility(bad, bad),)
    )
