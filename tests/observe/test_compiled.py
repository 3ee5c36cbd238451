"""Compiled models: seen from the outside, left as they are, and the user is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._inductor.config
import torch.nn.functional as F
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

import undertow
from tests.observe.contexts import STEPS, Diary, batch, dense


def train(net: nn.Module, call: Callable[[Any], Any], diary: Diary) -> None:
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(STEPS):
        x, y = batch()
        loss = F.cross_entropy(call(x), y)
        optimizer.zero_grad()
        loss.backward()
        diary.gradients(net)
        optimizer.step()
    diary.end(net)


def compiled_before(watch: Callable[[], Any], backend: Any) -> Diary:
    diary, net = Diary(), dense()
    call = torch.compile(net, backend=backend)
    with watch():
        train(net, call, diary)
    return diary


def compiled_and_called_before(watch: Callable[[], Any], backend: Any) -> Diary:
    diary, net = Diary(), dense()
    call = torch.compile(net, backend=backend)
    train(net, call, Diary())
    with watch():
        train(net, call, diary)
    return diary


def compiled_inside(watch: Callable[[], Any], backend: Any) -> Diary:
    diary, net = Diary(), dense()
    with watch():
        train(net, torch.compile(net, backend=backend), diary)
    return diary


def compiled_in_place(watch: Callable[[], Any], backend: Any) -> Diary:
    diary, net = Diary(), dense()
    with watch():
        net.compile(backend=backend)
        train(net, net, diary)
    return diary


KERNELS = {
    "without kernels of its own": lambda: nn.Sequential(nn.Linear(6, 8, bias=False), nn.Linear(8, 3, bias=False)),
    "with kernels of its own": dense,
}
"""What the default backend makes of a model: calls alone, or C++ as well, which takes a minute to compile."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KERNELS)
def test_a_model_compiled_by_the_default_backend_trains_the_same_and_is_told(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "with kernels of its own" and "UNDERTOW_SLOW" not in os.environ:
        pytest.skip("compiling kernels takes a minute: set UNDERTOW_SLOW=1, and have a C++ compiler")
    monkeypatch.setattr(torch._inductor.config, "compile_threads", 1)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))

    def trained(watch: Callable[[], Any]) -> Diary:
        torch._dynamo.reset()
        torch.manual_seed(0)
        diary, net = Diary(), KERNELS[kind]()
        with watch():
            train(net, torch.compile(net), diary)
        return diary

    watched = trained(lambda: undertow.observe(every=1, store=tmp_path / "run"))
    alone = trained(nullcontext)
    assert len(watched.entries) == len(alone.entries)
    assert all(torch.equal(a, b) for a, b in zip(watched.entries, alone.entries, strict=True))
    run = undertow.Run(tmp_path / "run")
    assert [event.kind for event in run.events if event.kind != "tensors"] == ["compiled"]
    assert any("compiled region is seen as one operation" in note for note in undertow.review(run).notes)
    leaves = run.passes[-1].flow.topology.leaves()
    sizes = {name: run.passes[-1].flow.cotangents[index] for name, index in leaves.items()}
    assert sizes == pytest.approx(watched.norms[-1], rel=1e-4)


@pytest.mark.parametrize("way", [compiled_before, compiled_and_called_before, compiled_inside, compiled_in_place])
def test_a_compiled_model_trains_the_same_is_compiled_as_often_and_is_told(way: Any, tmp_path: Path) -> None:
    def trained(watch: Callable[[], Any]) -> tuple[Diary, int]:
        torch._dynamo.reset()
        torch.manual_seed(0)
        counter = CompileCounterWithBackend("aot_eager")
        return way(watch, counter), counter.frame_count

    watched, compilations = trained(lambda: undertow.observe(every=1, store=tmp_path / "run"))
    alone, expected = trained(nullcontext)
    assert compilations == expected
    assert len(watched.entries) == len(alone.entries)
    assert all(torch.equal(a, b) for a, b in zip(watched.entries, alone.entries, strict=True))
    run = undertow.Run(tmp_path / "run")
    assert run.meta["compiled"]
    assert [event.kind for event in run.events if event.kind != "tensors"] == ["compiled"]
    leaves = run.passes[-1].flow.topology.leaves()
    sizes = {name: run.passes[-1].flow.cotangents[index] for name, index in leaves.items()}
    assert sizes == pytest.approx(watched.norms[-1], rel=1e-4)
