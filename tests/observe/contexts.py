"""Ways of training that Undertow must neither disturb nor misread: one small program each.

Each takes a `Diary` and notes in it whatever must come out the same to the last bit.
"""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

STEPS = 4


@dataclass
class Diary:
    """What a training did: everything that must be bitwise the same, and the gradient norms it really had."""

    entries: list[Any] = field(default_factory=list)
    norms: list[dict[str, float]] = field(default_factory=list)

    def note(self, *things: Any) -> None:
        self.entries += [thing.detach().clone() if isinstance(thing, Tensor) else thing for thing in things]

    def gradients(self, model: nn.Module, scale: float = 1.0, seen: str = "") -> None:
        """To be called where one backward pass has filled `.grad` from nothing.

        `seen` begins the names of those whose norms the pass shows, where it does not show all.
        """
        found = {name: p.grad.to_dense() for name, p in model.named_parameters() if p.grad is not None}
        self.note(*found.values())
        self.norms.append({n: float(g.double().norm()) / scale for n, g in found.items() if n.startswith(seen)})

    def end(self, *modules: nn.Module, optimizers: Any = ()) -> None:
        for module in modules:
            self.note(*module.state_dict().values())
        for optimizer in optimizers:
            self.note(*_leaves(optimizer.state_dict()))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def dense() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def batch(features: int = 6, rows: int = 16) -> tuple[Tensor, Tensor]:
    return torch.randn(rows, features), torch.randint(3, (rows,))


def plain(diary: Diary) -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 3))
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(STEPS):
        x, y = batch()
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net, optimizers=[optimizer])


def accumulation(diary: Diary) -> None:
    net = dense()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    for _ in range(STEPS):
        optimizer.zero_grad()
        for micro in range(3):
            x, y = batch()
            (F.cross_entropy(net(x), y) / 3).backward()
            if micro == 0:
                diary.gradients(net)
        diary.note(*[p.grad for p in net.parameters()])
        optimizer.step()
    diary.end(net, optimizers=[optimizer])


def gan(diary: Diary) -> None:
    generator, critic = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 4)), nn.Sequential(nn.Linear(4, 1))
    forger, judge = (torch.optim.Adam(net.parameters(), 0.01, betas=(0.5, 0.9)) for net in (generator, critic))
    for _ in range(STEPS):
        judge.zero_grad()
        real = F.softplus(-critic(torch.randn(8, 4))).mean()
        real.backward()
        fake = F.softplus(critic(generator(torch.randn(8, 2)).detach())).mean()
        fake.backward()
        diary.note(*[p.grad for p in critic.parameters()])
        judge.step()
        forger.zero_grad()
        F.softplus(-critic(generator(torch.randn(8, 2)))).mean().backward()
        diary.note(*[p.grad for p in generator.parameters()])
        forger.step()
    diary.end(generator, critic, optimizers=[forger, judge])


def autocast_bf16(diary: Diary) -> None:
    net = dense()
    optimizer = torch.optim.AdamW(net.parameters(), 0.01)
    for _ in range(STEPS):
        x, y = batch()
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net, optimizers=[optimizer])


def scaler_fp16(diary: Diary) -> None:
    net = dense()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    for _ in range(STEPS):
        x, y = batch()
        with torch.autocast("cpu", torch.float16):
            loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        diary.gradients(net, scale=scaler.get_scale())
        scaler.step(optimizer)
        scaler.update()
    diary.note(loss)
    diary.end(net, optimizers=[optimizer])


def in_place(diary: Diary) -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(STEPS):
        x, y = batch()
        out = net(x)
        out[:, 0] *= 2
        loss = F.cross_entropy(out.add_(1), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net)


def functional(diary: Diary) -> None:
    w, b = torch.randn(6, 3, requires_grad=True), torch.zeros(3, requires_grad=True)
    for _ in range(STEPS):
        x, y = batch()
        loss = F.cross_entropy(x @ w + b, y)
        loss.backward()
        diary.note(w.grad, b.grad)
        with torch.no_grad():
            for p in (w, b):
                p -= 0.1 * p.grad
                p.grad = None
    diary.note(w, b)


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 3 * ctx.saved_tensors[0] ** 2 * grad


def custom_function(diary: Diary) -> None:
    net = dense()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(STEPS):
        x, y = batch()
        loss = F.cross_entropy(Cube.apply(net(x)), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net)


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool):
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.3), nn.Linear(8, 3))
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.second, self.first(x).tanh(), use_reentrant=self.reentrant)


def _checkpointing(diary: Diary, reentrant: bool) -> None:
    net = Checkpointed(reentrant)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(STEPS):
        x, y = batch()
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net, seen="first" if reentrant else "")
        optimizer.step()
    diary.end(net)


def checkpoint_reentrant(diary: Diary) -> None:
    _checkpointing(diary, True)


def checkpoint_non_reentrant(diary: Diary) -> None:
    _checkpointing(diary, False)


def recurrent(diary: Diary) -> None:
    net = nn.ModuleDict({"lstm": nn.LSTM(6, 5, num_layers=2, dropout=0.2), "head": nn.Linear(5, 3)})
    optimizer = torch.optim.RMSprop(net.parameters(), 0.01)
    for _ in range(STEPS):
        x, y = torch.randn(7, 16, 6), torch.randint(3, (16,))
        loss = F.cross_entropy(net["head"](net["lstm"](x)[0][-1]), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    diary.end(net, optimizers=[optimizer])


def grad_function(diary: Diary) -> None:
    net = dense()
    parameters = [*net.parameters()]
    for _ in range(STEPS):
        x, y = batch()
        grads = torch.autograd.grad(F.cross_entropy(net(x), y), parameters)
        diary.note(*grads)
        diary.norms.append({n: float(g.norm()) for (n, _), g in zip(net.named_parameters(), grads, strict=True)})
        with torch.no_grad():
            for p, g in zip(parameters, grads, strict=True):
                p.sub_(g, alpha=0.1)
    diary.end(net)


def lbfgs(diary: Diary) -> None:
    net = dense()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=3)
    for _ in range(STEPS):
        x, y = batch()

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            return loss

        diary.note(optimizer.step(closure))
    diary.end(net)


def sparse(diary: Diary) -> None:
    net = nn.Sequential(nn.Embedding(20, 6, sparse=True), nn.Flatten(), nn.Linear(18, 3))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(STEPS):
        loss = F.cross_entropy(net(torch.randint(20, (8, 3))), torch.randint(3, (8,)))
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(9, 5), nn.Linear(5, 9, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.embed(x).tanh())


def tied(diary: Diary) -> None:
    net = Tied()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(STEPS):
        x = torch.randint(9, (16,))
        loss = F.cross_entropy(net(x), x)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net)


def retained(diary: Diary) -> None:
    net = dense()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(STEPS):
        x, y = batch()
        hidden = net[1](net[0](x))
        first, second = F.cross_entropy(net[2](hidden), y), hidden.square().mean()
        optimizer.zero_grad()
        first.backward(retain_graph=True)
        diary.gradients(net)
        second.backward()
        diary.note(*[p.grad for p in net.parameters()])
        optimizer.step()
    diary.end(net)


def gradient_penalty(diary: Diary) -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(STEPS):
        x = torch.randn(16, 6, requires_grad=True)
        out = net(x)
        (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        loss = out.mean() + (slope.norm(dim=1) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net)


def workers(diary: Diary) -> None:
    data = TensorDataset(torch.randn(32, 6), torch.randint(3, (32,)))
    net = dense()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for x, y in DataLoader(data, 8, shuffle=True, num_workers=1, multiprocessing_context="fork"):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net)


class Counting(torch.overrides.TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls.append(getattr(func, "__name__", str(func)))
        return func(*args, **(kwargs or {}))


class Dispatching(torch.utils._python_dispatch.TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls.append(str(func))
        return func(*args, **(kwargs or {}))


def users_function_mode(diary: Diary) -> None:
    _with_mode(diary, Counting())


def users_dispatch_mode(diary: Diary) -> None:
    _with_mode(diary, Dispatching())


def _with_mode(diary: Diary, mode: Any) -> None:
    net = dense()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(STEPS):
        x, y = batch()
        with mode:
            loss = F.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.note(*mode.calls)
    diary.end(net)


def users_hooks(diary: Diary) -> None:
    net = dense()
    calls: list[Any] = []
    net[0].register_forward_hook(lambda module, inputs, output: calls.append(float(output.sum().detach())))
    net[2].register_full_backward_hook(lambda module, before, after: calls.append(float(after[0].sum())))
    net[0].weight.register_hook(lambda grad: grad.clamp(-0.01, 0.01))
    net[2].weight.register_post_accumulate_grad_hook(lambda p: calls.append(float(p.grad.sum())))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    optimizer.register_step_post_hook(lambda *_: calls.append("stepped"))
    for _ in range(STEPS):
        x, y = batch()
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net, seen="2")
        optimizer.step()
    diary.note(*calls)
    diary.end(net)


def users_anomaly_mode(diary: Diary) -> None:
    with torch.autograd.detect_anomaly(check_nan=False):
        plain(diary)
    diary.note(torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())


def functional_transforms(diary: Diary) -> None:
    net = dense()
    parameters = {name: p.detach().clone() for name, p in net.named_parameters()}

    def loss_of(parameters: Any, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(net, parameters, (x,)), y)

    for _ in range(STEPS):
        grads = torch.func.grad(loss_of)(parameters, *batch())
        each = torch.func.vmap(torch.func.grad(loss_of), in_dims=(None, 0, 0))(parameters, *batch())
        diary.note(*grads.values(), *each.values())
        parameters = {name: p - 0.1 * grads[name] for name, p in parameters.items()}
    diary.note(*parameters.values())


def by_parts(diary: Diary) -> None:
    net = nn.Module()
    net.encoder, net.decoder = nn.Sequential(nn.Linear(6, 4), nn.Tanh()), nn.Linear(4, 3)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(STEPS):
        x, y = batch()
        loss = F.cross_entropy(net.decoder(net.encoder(x)), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net)


def target_network(diary: Diary) -> None:
    online, target = dense(), dense()
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), 0.01)
    for _ in range(STEPS):
        x, _ = batch()
        with torch.no_grad():
            wanted = target(x).max(1).values
        loss = F.smooth_l1_loss(online(x).max(1).values, wanted + 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        diary.note(*[p.grad for p in online.parameters()])
        for p, q in zip(online.parameters(), target.parameters(), strict=True):
            q.data.lerp_(p.data, 0.1)
    diary.end(online, target)


def copied_and_saved(diary: Diary) -> None:
    """A model that is copied, pickled and saved whole between its forward and its backward pass."""
    net = dense()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(STEPS):
        x, y = batch()
        loss = F.cross_entropy(net(x), y)
        file = io.BytesIO()
        torch.save((net, optimizer), file)
        file.seek(0)
        again, _ = torch.load(file, weights_only=False)
        for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), again):
            assert all(vars(a).keys() == vars(b).keys() for a, b in zip(net.modules(), other.modules(), strict=True))
            diary.end(other)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net, optimizers=[optimizer])


def exported(diary: Diary) -> None:
    """A model that is exported and traced by torch.fx while it trains."""
    net = dense()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for step in range(STEPS):
        x, y = batch()
        loss = F.cross_entropy(net(x), y)
        if step < 2:
            program = torch.export.export(net, (x,))
            diary.note(len(program.graph.nodes), torch.fx.symbolic_trace(net).code, program.module()(x))
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(nn.ModuleDict({"net": net}))  # there are several models now
        optimizer.step()
    diary.end(net)


def evaluated(diary: Diary) -> None:
    """A model that is evaluated as it trains, in several ways, by losses of which one is scripted meanwhile."""
    net = dense()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    criterion = nn.CrossEntropyLoss()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(two_losses)
    diary.note(scripted(torch.ones(3), torch.zeros(3)))
    for step in range(STEPS):
        x, y = batch()
        loss = criterion(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
        net.eval()
        with torch.no_grad() if step % 2 else torch.inference_mode():
            total = criterion(net(x), y)
            total += F.cross_entropy(net(x), y, reduction="sum")
            diary.note(
                total.clone(), F.cross_entropy(net(x), y, reduction="none"), F.kl_div(net(x), net(x), reduction="sum")
            )
            diary.note(torch.func.vmap(F.mse_loss)(x, x + 1))
        net.train()
    diary.end(net)


def transferred(diary: Diary) -> None:
    """Two trainings: what the first learned is loaded, copied, drawn anew and dropped on the way to the second."""
    first = dense()
    for net in (first, copy.deepcopy(first)):
        for module in net.modules():
            if isinstance(module, nn.Linear) and net is not first:
                nn.init.orthogonal_(module.weight)
                module.weight.data.normal_(0, 0.1)
                diary.note(module.weight._version)
        diary.note(net.load_state_dict({f"module.{k}": v for k, v in first.state_dict().items()}, strict=False))
        dense().load_state_dict(first.state_dict())
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        for _ in range(STEPS):
            x, y = batch()
            loss = F.cross_entropy(net(x + 0.1 * torch.empty_like(x).normal_()), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        diary.note(torch.func.vmap(lambda x: x + torch.zeros_like(x).uniform_(), randomness="different")(x))
        diary.end(net)


def two_losses(x: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(x, y) + F.mse_loss(x, y)


Context = Callable[[Diary], None]

CONTEXTS: dict[str, Context] = {
    function.__name__: function
    for function in (
        *(plain, accumulation, gan, autocast_bf16, scaler_fp16, in_place, functional, custom_function),
        *(checkpoint_reentrant, checkpoint_non_reentrant, recurrent, grad_function, lbfgs, sparse, tied, retained),
        *(gradient_penalty, workers, users_function_mode, users_dispatch_mode, users_hooks, users_anomaly_mode),
        *(functional_transforms, by_parts, target_network, copied_and_saved, exported, evaluated, transferred),
    )
}


@contextmanager
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
