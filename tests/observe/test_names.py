"""Operations and parameters go by the names that the user gave them."""

from __future__ import annotations

import inspect
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import undertow
from tests.observe.contexts import CONTEXTS, Diary, batch, dense


def observed(name: str, folder: Path) -> undertow.Run:
    torch.manual_seed(0)
    with undertow.observe(every=1, store=folder):
        CONTEXTS[name](Diary())
    return undertow.Run(folder)


class Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.head = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = x + torch.sigmoid(layer(x))
        return self.head(x)


def train(net: nn.Module, steps: int = 3) -> None:
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(steps):
        x, y = batch()
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_modules_and_parameters_of_one_model_go_by_its_own_names(tmp_path: Path) -> None:
    net = Branch()
    with undertow.observe(every=1, store=tmp_path / "run"):
        train(net)
    run = undertow.Run(tmp_path / "run")
    assert {p.name for p in run.parameters} == {name for name, _ in net.named_parameters()}
    assert set(run.passes[-1].flow.topology.leaves()) == {name for name, _ in net.named_parameters()}
    modules = {op.module for op in run.passes[-1].flow.topology.operations}
    assert modules <= {name for name, _ in net.named_modules()}
    assert {"layers.0", "layers.2", "head.0", "head.1", ""} <= modules


def test_operations_carry_the_line_they_were_written_on(tmp_path: Path) -> None:
    with undertow.observe(every=1, store=tmp_path / "run"):
        train(Branch())
    lines, start = inspect.getsourcelines(Branch.forward)
    line = start + next(i for i, text in enumerate(lines) if "sigmoid" in text)
    for seen in undertow.Run(tmp_path / "run").passes:
        sources = {op.source for op in seen.flow.topology.operations if op.name == "SigmoidBackward0"}
        assert {source.rpartition("/")[2] for source in sources} == {f"test_names.py:{line}"}


def test_bare_tensors_go_by_their_variables(tmp_path: Path) -> None:
    run = observed("functional", tmp_path / "run")
    assert [p.name for p in run.parameters] == ["w", "b"] or {p.name for p in run.parameters} == {"w", "b"}


def test_a_variable_that_is_bound_anew_each_step_stays_one_parameter(tmp_path: Path) -> None:
    def loop() -> None:
        w = torch.randn(6, 3, requires_grad=True)
        for _ in range(5):
            x, y = batch()
            (slope,) = torch.autograd.grad(F.cross_entropy(x @ w, y), w)
            w = (w - 0.1 * slope).detach().requires_grad_()

    with undertow.observe(every=1, store=tmp_path / "run"):
        loop()
    run = undertow.Run(tmp_path / "run")
    assert [p.name for p in run.parameters] == ["w"]
    assert len(run.passes) == 5
    assert all("w" in seen.flow.topology.leaves() for seen in run.passes)


def test_two_models_go_by_the_variables_that_hold_them(tmp_path: Path) -> None:
    run = observed("gan", tmp_path / "run")
    names = {p.name for p in run.parameters}
    assert {name.partition(".")[0] for name in names} == {"generator", "critic"}
    assert "generator.2.bias" in names


def test_a_model_called_by_its_parts_keeps_the_names_of_the_whole(tmp_path: Path) -> None:
    run = observed("by_parts", tmp_path / "run")
    assert {p.name for p in run.parameters} == {"encoder.0.weight", "encoder.0.bias", "decoder.weight", "decoder.bias"}


def test_a_tied_weight_is_one_parameter(tmp_path: Path) -> None:
    run = observed("tied", tmp_path / "run")
    assert [p.name for p in run.parameters] == ["embed.weight"]


def test_two_nets_of_one_architecture_are_not_taken_for_each_other(tmp_path: Path) -> None:
    def twins() -> None:
        left, right = dense(), dense()
        optimizer = torch.optim.SGD([*left.parameters(), *right.parameters()], 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            for net in (left, right):
                x, y = batch()
                F.cross_entropy(net(x), y).backward()
            optimizer.step()

    with undertow.observe(every=1, store=tmp_path / "run"):
        twins()
    run = undertow.Run(tmp_path / "run")
    owners = [{name.partition(".")[0] for name in seen.flow.topology.leaves()} for seen in run.passes]
    assert owners == [{"left"}, {"right"}] * 3


def test_a_batch_of_another_size_keeps_the_names(tmp_path: Path) -> None:
    net = dense()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with undertow.observe(every=1, store=tmp_path / "run"):
        for rows in (16, 16, 7):
            x, y = batch(rows=rows)
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
    last = undertow.Run(tmp_path / "run").passes[-1].flow.topology
    assert {op.module for op in last.operations} >= {"0", "1", "2"}
    assert all(op.source for op in last.operations if not op.leaf)


def test_looking_at_variables_keeps_nothing_alive(tmp_path: Path) -> None:
    import weakref

    def loop() -> weakref.ref[torch.Tensor]:
        net = dense()
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        first = None
        for _ in range(3):
            x, y = batch()
            loss = F.cross_entropy(net(x), y)
            first = first or weakref.ref(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert first() is None
        return first

    with undertow.observe(every=1, store=tmp_path / "run"):
        loop()
