"""Law 3: a fault of ours ends observing and nothing else, and everything patched is put back."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import optimizer as torch_optimizer

import undertow
from tests.observe.contexts import CONTEXTS, Diary
from tests.observe.test_non_interference import same, trained
from undertow.errors import StoreError, UndertowError
from undertow.observe import cuts, naming, pairs, probes, sample, transfers, updates, watch
from undertow.store.writer import Writer

PLACES: dict[str, tuple[Any, str]] = {
    "reading the graph": (sample, "starts_of"),
    "inside a node's hook": (watch, "norm"),
    "a probe": (probes, "activations"),
    "a module's hook": (naming.Naming, "_enters"),
    "following cuts": (cuts.CutTracer, "_follow"),
    "before the optimizer": (updates.UpdateProbe, "__init__"),
    "after the optimizer": (updates.UpdateProbe, "after"),
    "a pair of gradients": (pairs.Pairs, "step_begins"),
    "following what was learned": (transfers.Transfers, "_begins_to_train"),
    "writing": (Writer, "losses"),
}


def plant(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("planted")

    monkeypatch.setattr(*PLACES[place], fail)


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """As in a user's hands: faults of ours do not raise."""

    def leave() -> None:
        monkeypatch.setenv("UNDERTOW_STRICT", "0")

    return leave


@pytest.mark.parametrize("place", PLACES)
def test_a_fault_of_ours_ends_observing_is_reported_and_training_goes_on(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lenient: Callable[[], None]
) -> None:
    lenient()
    alone = trained(CONTEXTS["plain"])
    plant(monkeypatch, place)
    watched = trained(CONTEXTS["plain"], lambda: undertow.observe(every=2, store=tmp_path / "run"))
    assert all(same(a, b) for a, b in zip(watched.entries, alone.entries, strict=True))
    run = undertow.Run(tmp_path / "run")
    assert [event.facts["message"] for event in run.events if event.kind == "fault"] == ["planted"]
    assert run.state == "finished"


def test_a_fault_of_ours_raises_under_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "a probe")
    with pytest.raises(RuntimeError, match="planted"), undertow.observe(every=1, store=tmp_path / "run"):
        CONTEXTS["plain"](Diary())


def patched() -> list[Any]:
    return [
        torch.autograd._engine_run_backward,
        torch.amp.GradScaler.scale,
        torch.compile,
        torch.Tensor.normal_,
        torch.Tensor.uniform_,
        "normal_" in vars(torch.Tensor),
        torch.nn.init.orthogonal_,
        torch.nn.Module.load_state_dict,
        torch.nn.Parameter.__deepcopy__,
        len(torch_optimizer._global_optimizer_pre_hooks),
        len(torch_optimizer._global_optimizer_post_hooks),
        len(torch.nn.modules.module._global_forward_pre_hooks),
        len(torch.nn.modules.module._global_forward_hooks),
        len(torch.nn.modules.module._global_parameter_registration_hooks),
        torch._C._len_torch_function_stack(),
        torch.is_anomaly_enabled(),
        torch.is_grad_enabled(),
    ]


@pytest.mark.parametrize("ending", [None, ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("moment", ["before", "forward", "after"])
def test_everything_is_put_back_and_the_users_exception_arrives(
    ending: type[BaseException] | None, moment: str, tmp_path: Path
) -> None:
    before = patched()
    net = torch.nn.Linear(2, 1)

    def end(*_: Any) -> None:
        if ending is not None:
            raise ending("the user's")

    if moment == "forward":
        net.register_forward_hook(end)

    def train() -> None:
        with undertow.observe(store=tmp_path / "run"):
            if moment == "before":
                end()
            net(torch.randn(3, 2)).sum().backward()
            end()

    if ending is None:
        train()
    else:
        with pytest.raises(ending, match="the user's"):
            train()
    assert patched() == before
    states = {None: "finished", KeyboardInterrupt: "interrupted"}
    run = undertow.Run(tmp_path / "run")
    assert run.state == states.get(ending, "exception")


def test_observing_twice_at_once_is_refused_and_leaves_the_first_in_place(tmp_path: Path) -> None:
    before = patched()
    with undertow.observe(store=tmp_path / "outer", every=1):
        with pytest.raises(UndertowError, match="observed already"), undertow.observe(store=tmp_path / "inner"):
            pass
        CONTEXTS["plain"](Diary())
    assert not (tmp_path / "inner").exists()
    assert undertow.Run(tmp_path / "outer").passes
    assert patched() == before


def test_observing_again_afterwards_is_another_run(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with undertow.observe(store=tmp_path / name, every=1):
            CONTEXTS["plain"](Diary())
    assert len(undertow.Run(tmp_path / "second").passes) == len(undertow.Run(tmp_path / "first").passes)


def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    with undertow.observe(store=tmp_path):
        pass
    with pytest.raises(StoreError, match="cannot keep a run"):
        undertow.observe(store=tmp_path)


def _at_length(diary: Diary) -> None:
    for _ in range(12):
        CONTEXTS["recurrent"](diary)


def test_a_disk_that_fills_up_leaves_the_training_alone(tmp_path: Path, lenient: Callable[[], None]) -> None:
    lenient()
    alone = trained(_at_length)
    observation = undertow.observe(every=1, store=tmp_path / "run")
    database = observation._writer._db
    database.execute(f"PRAGMA max_page_count={database.execute('PRAGMA page_count').fetchone()[0]}")
    watched = trained(_at_length, lambda: observation)
    assert all(same(a, b) for a, b in zip(watched.entries, alone.entries, strict=True))
    assert "database or disk is full" in str(observation.unstored)
    assert undertow.Run(tmp_path / "run").meta["format"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_that_trains_is_left_alone(tmp_path: Path) -> None:
    with undertow.observe(every=1, store=tmp_path / "run"):
        CONTEXTS["plain"](Diary())
        child = os.fork()
        if not child:
            CONTEXTS["plain"](Diary())
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    assert len(undertow.Run(tmp_path / "run").passes) == 4


@pytest.mark.parametrize("place", [None, "following cuts", "a module's hook", "a probe"])
def test_no_mode_of_ours_is_left_behind(
    place: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lenient: Callable[[], None]
) -> None:
    lenient()
    if place is not None:
        plant(monkeypatch, place)
    for name in ("plain", "functional"):
        with undertow.observe(every=1, store=tmp_path / name):
            CONTEXTS[name](Diary())
        assert torch._C._len_torch_function_stack() == 0


@pytest.mark.parametrize("name", ["functional", "grad_function", "plain"])
def test_names_are_learnt_without_leaving_anything_on_during_the_rest_of_the_training(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    # An optimizer of another test that still lies about would tell that weights are not moved by hand.
    monkeypatch.setattr(gc, "get_objects", list)

    class Watched(Diary):
        def note(self, *things: Any) -> None:
            seen.append(torch._C._len_torch_function_stack() + int(torch.is_anomaly_enabled()))
            super().note(*things)

    with undertow.observe(every=1, store=tmp_path / "run"):
        CONTEXTS[name](Watched())
    assert seen[-1] == 0
