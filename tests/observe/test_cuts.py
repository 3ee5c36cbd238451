"""A value that leaves the graph in the middle of a model is found, with the call and the line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import undertow
from tests.observe.contexts import CONTEXTS, Diary, batch


def under_no_grad(x: Tensor) -> Tensor:
    with torch.no_grad():
        return x * 2


CUTS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "detach": (lambda x: x.detach(), "detach"),
    "data": (lambda x: x.data, "data"),
    "argmax": (lambda x: F.one_hot(x.argmax(1), 8).float(), "argmax"),
    "numpy": (lambda x: torch.from_numpy(x.detach().numpy().copy()), "detach"),
    "tolist": (lambda x: torch.tensor(x.tolist()), "tolist"),
}


class Cutting(nn.Module):
    def __init__(self, cut: Callable[[Tensor], Tensor]):
        super().__init__()
        self.before, self.after, self.cut = nn.Linear(6, 8), nn.Linear(8, 3), cut

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.cut(self.before(x)))


def train(net: nn.Module) -> None:
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(3):
        x, y = batch()
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("name", CUTS)
def test_the_call_and_the_line_that_cut_are_named(name: str, tmp_path: Path) -> None:
    cut, operation = CUTS[name]
    with undertow.observe(store=tmp_path / "run"):
        train(Cutting(cut))
    (event,) = [event for event in undertow.Run(tmp_path / "run").events if event.kind == "cut"]
    assert event.facts["operation"] == operation
    assert event.facts["source"].endswith(f"test_cuts.py:{inspect.getsourcelines(cut)[1]}")
    assert set(event.facts["parameters"]) == {"before.weight", "before.bias"}
    assert event.facts["in_loss"]


def test_a_part_of_the_model_under_no_grad_is_told_as_that(tmp_path: Path) -> None:
    with undertow.observe(store=tmp_path / "run"):
        train(Cutting(under_no_grad))
    (event,) = [event for event in undertow.Run(tmp_path / "run").events if event.kind == "cut"]
    assert not event.facts["grad_enabled"]
    assert set(event.facts["parameters"]) == {"before.weight", "before.bias"}


@pytest.mark.parametrize("name", ["target_network", "gan"])
def test_gradients_that_are_stopped_on_purpose_break_nothing(name: str, tmp_path: Path) -> None:
    with undertow.observe(every=1, store=tmp_path / "run"):
        CONTEXTS[name](Diary())
    run = undertow.Run(tmp_path / "run")
    assert not [event for event in run.events if event.kind == "fault"]
    assert all(seen.flow.topology.leaves() for seen in run.passes)
