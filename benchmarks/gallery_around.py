"""Other tools put around a training from the outside, as their documentation says to put them into its loop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

EVERY = 10

MOST = 4
"""Optimizers of one training that a peer is put around; a script with more makes them in a loop."""

LOSSES = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "poisson_nll_loss",
    "gaussian_nll_loss",
)

KINDS = (
    "is empty",
    "non-finite",
    "appears vanished",
    "is very large",
    "ratio is high",
    "ratio is tiny",
    "no gradients",
    "abs max",
    "nearly constant",
    "dominant class",
)
"""By which words the warnings of traintools, which have no codes, are told apart."""

BACKWARD = torch.Tensor.backward


class Torchmortem:
    """`Autopsy(model, optimizer=optimizer)`, and `autopsy.step(loss=...)` after each step."""

    def __init__(self, models: Sequence[nn.Module], optimizer: Any) -> None:
        from torchmortem import Autopsy

        self.autopsy = Autopsy(models[0] if len(models) == 1 else nn.ModuleList(models), optimizer)
        self.autopsy.attach()

    def before_step(self, loss: float | None, batch: Any, target: Any) -> None:
        """Nothing: it looks after steps."""

    def after_step(self, loss: float | None) -> None:
        self.autopsy.step(**({} if loss is None else {"loss": loss}))

    def said(self) -> list[tuple[str, bool]]:
        self.autopsy.detach()
        report = self.autopsy.get_report()
        return [(f.title, f.severity.name == "CRITICAL") for f in report.findings if f.severity.name != "INFO"]


class TorchAudit:
    """`autopatch(model, optimizer=optimizer)`, with an audit at every tenth step in place of every 1000."""

    def __init__(self, models: Sequence[nn.Module], optimizer: Any) -> None:
        from torch_audit import autopatch

        self.auditors = [autopatch(m, optimizer=optimizer, every_n_steps=EVERY) for m in models]

    def before_step(self, loss: float | None, batch: Any, target: Any) -> None:
        """Nothing: it patches the step."""

    def after_step(self, loss: float | None) -> None:
        """Nothing: it patches the step."""

    def said(self) -> list[tuple[str, bool]]:
        found = {(f.rule_id, f.module_path, f.severity.name) for a in self.auditors for f in a.findings}
        for auditor in self.auditors:
            auditor.unpatch()
        kept = [(rule, level) for rule, _, level in found if level != "INFO" and not rule.startswith(("TA000", "TA2"))]
        return sorted(((rule, level in ("ERROR", "FATAL")) for rule, level in kept), key=lambda f: (not f[1], f[0]))


class Traintools:
    """Its quick start's `BatchInspector` and `GradientHealthMonitor` at every tenth step, and a `PlasticityProbe`.

    It has no levels: what it warns of in at least half of the looks counts as severe, the probe by its own verdict.
    """

    def __init__(self, models: Sequence[nn.Module], optimizer: Any) -> None:
        from traintools import BatchInspector, GradientHealthMonitor, PlasticityProbe

        self.model = models[0] if len(models) == 1 else nn.ModuleList(models)
        self.optimizer, self.steps, self.counts = optimizer, 0, dict[str, int]()
        self.batches, self.gradients = BatchInspector(), GradientHealthMonitor()
        self.probe = PlasticityProbe(self.model)

    def before_step(self, loss: float | None, batch: Any, target: Any) -> None:
        self.steps += 1
        if (self.steps - 1) % EVERY:
            return
        lr = float(self.optimizer.param_groups[0]["lr"]) if self.optimizer else None
        texts = [*self.gradients.inspect(self.model, step=self.steps, lr=lr).warnings]
        if batch is not None:
            texts += self.batches.inspect(batch, target, step=self.steps).warnings
        for kind in {k for k in KINDS if any(k in text for text in texts)}:
            self.counts[kind] = self.counts.get(kind, 0) + 1

    def after_step(self, loss: float | None) -> None:
        """Nothing: it looks before steps."""

    def said(self) -> list[tuple[str, bool]]:
        found = [
            (kind, 2 * EVERY * count >= self.steps) for kind, count in sorted(self.counts.items(), key=lambda c: -c[1])
        ]
        critical = self.probe.measure(step=self.steps).critical_layers
        self.probe.remove_hooks()
        return sorted(found + [("plasticity", True)] * bool(critical), key=lambda f: not f[1])


PEERS = {"torchmortem": Torchmortem, "torch-audit": TorchAudit, "traintools": Traintools}


def parameters(optimizers: Sequence[Any]) -> set[int]:
    return {id(p) for o in optimizers for g in o.param_groups for p in g["params"]}


def labels(target: torch.Tensor) -> torch.Tensor | None:
    """What a user would hand on as targets: classes, or a number for each example; not pictures, nor columns."""
    if target.is_floating_point() and target.dim() > 1:
        return target.squeeze(-1) if target.dim() == 2 and target.shape[1] == 1 else None
    return target


class Around:
    """The peers around a training: made for each optimizer at its first step, of the models that it moves."""

    def __init__(self, peers: dict[str, Any]) -> None:
        self.peers = peers
        self.depth = self.backwards = 0
        self.roots: dict[int, nn.Module] = {}
        self.made: dict[int, tuple[Any, dict[str, Any]]] = {}
        self.last: nn.Module | None = None
        self.loss: float | None = None
        self.batch = self.target = None
        self.optimizers: list[Any] = []
        self.errors: dict[str, str] = {}

    def entered(self, module: nn.Module, inputs: Any) -> None:
        self.depth += 1
        if self.depth == 1 and next(module.parameters(), None) is not None:
            self.roots[id(module)], self.last = module, module
            self.batch = inputs[0] if len(inputs) == 1 else inputs

    def left(self, *_: Any) -> None:
        self.depth -= 1

    def models(self, optimizer: Any) -> list[nn.Module]:
        """Those with a parameter that the optimizer holds, or that a gradient reaches and no optimizer holds."""
        moved, taken = parameters([optimizer] if optimizer else []), parameters(self.optimizers)
        reached = {id(p) for m in self.roots.values() for p in m.parameters() if p.grad is not None}
        moved |= reached - taken
        owners = [m for m in self.roots.values() if any(id(p) in moved for p in m.parameters())]
        return owners or ([self.last] if self.last is not None else [])

    def of(self, optimizer: Any) -> dict[str, Any]:
        if id(optimizer) not in self.made:
            models = self.models(optimizer) if len(self.made) < MOST else []
            if not self.roots:
                return {}
            made = {
                name: self.guarded(name, lambda peer=peer: peer(models, optimizer)) for name, peer in self.peers.items()
            }
            self.made[id(optimizer)] = optimizer, {n: p for n, p in made.items() if p is not None} if models else {}
        return self.made[id(optimizer)][1]

    def guarded(self, name: str, ask: Any) -> Any:
        if name in self.errors:
            return None
        try:
            return ask()
        except TimeoutError:
            raise
        except Exception as broken:
            self.errors[name] = f"{type(broken).__name__}: {broken}"[:120]
            return None

    def before(self, optimizer: Any, *_: Any) -> None:
        for name, peer in self.of(optimizer).items():
            self.guarded(name, lambda peer=peer: peer.before_step(self.loss, self.batch, self.target))

    def after(self, optimizer: Any, *_: Any) -> None:
        for name, peer in self.of(optimizer).items():
            self.guarded(name, lambda peer=peer: peer.after_step(self.loss))
        self.backwards = 0

    def backward(self, loss: torch.Tensor, *args: Any, **options: Any) -> None:
        BACKWARD(loss, *args, **options)
        self.loss = loss.detach().float().mean().item()
        self.backwards += 1
        if self.backwards > 64 or (self.backwards > 2 and not any(o for o, _ in self.made.values())):
            optimizer, kept = self.optimizers[-1] if self.optimizers else None, self.backwards
            self.before(optimizer)
            self.after(optimizer)
            self.backwards = kept

    def compared(self, function: Any) -> Any:
        def wrapped(output: Any, target: Any, *args: Any, **options: Any) -> Any:
            loss = function(output, target, *args, **options)
            self.target = labels(target)
            if loss.dim() == 0:
                self.loss = loss.detach().float().item()
            return loss

        return wrapped

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        init, record = torch.optim.Optimizer.__init__, self.optimizers.append
        with contextlib.ExitStack() as stack:
            hooks = [
                register_module_forward_pre_hook(self.entered),
                register_module_forward_hook(self.left, always_call=True),
                register_optimizer_step_pre_hook(self.before),
                register_optimizer_step_post_hook(self.after),
            ]
            for hook in hooks:
                stack.callback(hook.remove)
            made = lambda o, *a, **k: (init(o, *a, **k), record(o))[0]  # noqa: E731
            stack.enter_context(patch.object(torch.optim.Optimizer, "__init__", made))
            stack.enter_context(patch.object(torch.Tensor, "backward", lambda t, *a, **k: self.backward(t, *a, **k)))
            for name in LOSSES:
                stack.enter_context(patch.object(F, name, self.compared(getattr(F, name))))
            yield

    def said(self, name: str) -> list[tuple[str, bool]]:
        peers = [peers[name] for _, peers in self.made.values() if name in peers]
        found = [said for peer in peers for said in self.guarded(name, peer.said) or []]
        return sorted(found, key=lambda f: not f[1])
