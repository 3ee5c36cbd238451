"""Law 1: with and without Undertow, everything is the same to the last bit."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import undertow
from tests.observe.contexts import CONTEXTS, Context, Diary


def trained(context: Context, watch: Callable[[], Any] = nullcontext) -> Diary:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    diary = Diary()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Anomaly Detection has been enabled")
        with watch():
            context(diary)
    diary.note(torch.get_rng_state(), random.getstate(), str(np.random.get_state()))
    diary.note(torch.is_anomaly_enabled(), torch.is_grad_enabled())
    return diary


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return (
            isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one.nan_to_num(), other.nan_to_num())
        )
    return bool(one == other)


@pytest.mark.parametrize("every", [1, None], ids=["each step", "within the budget"])
@pytest.mark.parametrize("name", CONTEXTS)
def test_training_is_bitwise_the_same(name: str, every: int | None, tmp_path: Path) -> None:
    watched = trained(CONTEXTS[name], lambda: undertow.observe(every=every, store=tmp_path / "run"))
    alone = trained(CONTEXTS[name])
    lengths = len(watched.entries), len(alone.entries)
    assert lengths[0] == lengths[1]
    differing = [i for i, (a, b) in enumerate(zip(watched.entries, alone.entries, strict=True)) if not same(a, b)]
    assert not differing
    events = undertow.Run(tmp_path / "run").events
    assert not [event for event in events if event.kind == "fault"]


UNSEEN = {"functional_transforms"}
"""Their passes run over tensors that stand for many: they are left alone."""


@pytest.mark.parametrize("name", sorted(CONTEXTS.keys() - UNSEEN))
def test_gradient_norms_are_those_that_the_parameters_received(name: str, tmp_path: Path) -> None:
    diary = trained(CONTEXTS[name], lambda: undertow.observe(every=1, store=tmp_path / "run"))
    run = undertow.Run(tmp_path / "run")
    assert run.passes
    passes = iter(run.passes)
    for norms in diary.norms:
        assert any(_agrees(seen.flow, norms) for seen in passes), "no pass has the norms that .grad had, in order"


def _agrees(flow: undertow.Flow, norms: dict[str, float]) -> bool:
    leaves = flow.topology.leaves()
    return all(
        name in leaves and flow.cotangents[leaves[name]] == pytest.approx(size, rel=1e-4)
        for name, size in norms.items()
    )
