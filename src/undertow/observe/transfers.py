"""Following what was learned from where it is loaded or copied to the first step that trains it further."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from types import FrameType
from typing import Any, cast
from unittest.mock import patch

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook, register_module_parameter_registration_hook
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from undertow.engine.source import is_users
from undertow.observe.attach import stands_for_others
from undertow.observe.frames import source_of, user_frame, user_frames
from undertow.observe.fresh import looks_fresh
from undertow.observe.guard import Guard
from undertow.observe.learned import Dropped, Learned, Unmatched, matrices
from undertow.observe.ledger import Ledger
from undertow.observe.roster import Roster

__all__ = ["Transfers"]

DRAWS = ((Tensor, "normal_"), (Tensor, "uniform_"), (nn.init, "orthogonal_"))
"""What initialisations at random come to."""

MOST_OPEN = 8
"""Networks that were loaded and not yet called, whose end is awaited."""


class Transfers:
    """Tells of learned weights that were drawn anew, dropped or never loaded, when an optimizer makes its first step.

    Known as learned are matrices that an optimizer has moved, that a state was loaded into which does not look as it
    was made, and deep copies of either. Between two such calls nothing is looked at.

    Attributes:
        step: Optimizer steps made so far; whoever counts them sets it.
    """

    def __init__(self, roster: Roster, guard: Guard, ledger: Ledger) -> None:
        self.step = 0
        self._roster, self._guard, self._ledger = roster, guard, ledger
        self._aside, self._undo, self._awaiting = ExitStack(), ExitStack(), ExitStack()
        self._learned = Learned()
        self._loaded: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._optimizers: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._open: list[Dropped] = []
        self._unmatched: list[Unmatched] = []

    def install(self) -> None:
        for owner, name in DRAWS:
            self._replace(owner, name, self._drawing)
        self._replace(nn.Module, "load_state_dict", self._loading)
        self._replace(nn.Parameter, "__deepcopy__", self._copying)
        self._undo.callback(register_optimizer_step_pre_hook(self._steps).remove)

    def stand_aside(self) -> None:
        """Put back what a compiler might run into."""
        self._aside.close()
        self._awaiting.close()

    def remove(self) -> None:
        self.stand_aside()
        self._undo.close()

    def _replace(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        self._aside.enter_context(patch.object(owner, name, wrap(getattr(owner, name))))

    # what the user's code calls

    def _drawing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def draw(tensor: Any, *args: Any, **kwargs: Any) -> Any:
            if self._learned and type(tensor) in (Tensor, nn.Parameter):
                self._guard(self._drawn, tensor)
            return original(tensor, *args, **kwargs)

        return draw

    def _loading(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def load_state_dict(module: nn.Module, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
            answer = original(module, state_dict, *args, **kwargs)
            self._guard(self._was_loaded, module, state_dict, answer)
            return answer

        return load_state_dict

    def _copying(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def deepcopy(parameter: Any, memo: Any) -> Any:
            copied = original(parameter, memo)
            if self._learned:
                self._guard(self._copied, parameter, copied)
            return copied

        return deepcopy

    def _steps(self, optimizer: Optimizer, *_: Any) -> None:
        if optimizer not in self._optimizers:
            self._optimizers.add(optimizer)
            self._guard(self._begins_to_train, optimizer)
        elif self._open:
            self._forget()  # what is loaded while a training goes on is a copy of it, or something to compare it with

    # and what that means

    def _drawn(self, tensor: Tensor) -> None:
        if stands_for_others(tensor) or not matrices([tensor]):
            return
        known = self._learned.find(tensor)
        if known is not None and not known.lost:
            known.lost = _outside_apply()

    def _copied(self, parameter: Tensor, copied: Any) -> None:
        if stands_for_others(parameter) or len(matrices([parameter, copied])) < 2:
            return
        known = self._learned.find(parameter)
        if known is not None and not known.lost:
            self._learned.note(copied, "copied")

    def _was_loaded(self, module: nn.Module, state: Mapping[str, Any], answer: Any) -> None:
        named: dict[str, Tensor] = {name: p for name, p in module.named_parameters() if matrices([p])}
        if any(map(stands_for_others, named.values())):
            return
        source, missing = source_of(user_frame()), {*answer.missing_keys}
        given = {name: p for name, p in named.items() if name not in missing}
        if not given and named and (found := Unmatched.of(named, _of(state, answer.unexpected_keys), source)):
            self._unmatched = [*self._unmatched[1 - MOST_OPEN :], found]
        new = [p for name, p in given.items() if self._take_in(p, state.get(name), source, module in self._loaded)]
        if new and module not in self._loaded and len(self._open) < MOST_OPEN:
            self._await(Dropped.of(module, new, source))
        self._loaded.add(module)

    def _take_in(self, parameter: Tensor, value: Any, source: str, again: bool) -> bool:
        """Note a parameter that was loaded; whether it now holds what was learned, and never did before.

        Where a module is loaded again and again, as target networks are, it is as it was known from the first time.
        """
        known = self._learned.find(parameter)
        if known is None:
            given = next(iter(matrices([value])), parameter)
            if again or (self._learned.find(given) is None and looks_fresh(given)):
                return False
        self._learned.note(parameter, "loaded", source)
        return known is None

    def _await(self, loaded: Dropped) -> None:
        if not self._open:
            self._awaiting.callback(register_module_forward_pre_hook(self._called).remove)
            registered = register_module_parameter_registration_hook(lambda _, __, made: self._registered(made))
            self._awaiting.callback(registered.remove)
        self._open.append(loaded)

    def _forget(self) -> list[Dropped]:
        self._awaiting.close()
        forgotten, self._open = self._open, []
        return forgotten

    def _called(self, module: nn.Module, _: Any) -> None:
        for loaded in self._open:
            loaded.called = loaded.called or module in loaded.modules

    def _registered(self, parameter: Any) -> None:
        if type(parameter) is nn.Parameter and parameter.dim() > 1:
            self._guard(self._made, parameter)

    def _made(self, parameter: Tensor) -> None:
        line = source_of(next((f for f in user_frames() if f.f_code.co_name != "__init__"), None))
        for loaded in self._open:
            loaded.made.append((weakref.ref(parameter), line))

    # the first step

    def _begins_to_train(self, optimizer: Optimizer) -> None:
        trained = matrices(p for group in optimizer.param_groups for p in group["params"])
        if trained and not any(map(stands_for_others, trained)):
            for facts in (*self._drawn_anew(trained), *self._left(trained), *self._never_loaded(trained)):
                self._ledger.tell(self.step, "lost", facts)
        for tensor in trained:
            self._learned.note(tensor, "trained")

    def _drawn_anew(self, trained: list[Tensor]) -> Iterator[dict[str, Any]]:
        """Learned weights that were drawn anew.

        To draw all of a network anew that was trained or copied is to begin afresh; to load it first, or to put it
        beside something new, is not.
        """
        found = [(tensor, self._learned.find(tensor)) for tensor in trained]
        learned = [(tensor, known) for tensor, known in found if known is not None]
        meant = [known.how for _, known in learned if known.lost]
        if meant and ("loaded" in meant or len(learned) < len(trained)):
            lost = [(tensor, known) for tensor, known in learned if known.lost]
            first = lost[0][1]
            among = sum(tensor.numel() for tensor, _ in learned)
            yield self._facts("drawn", [tensor for tensor, _ in lost], trained, first.lost) | {
                "loaded": first.loaded,
                "of_learned": sum(tensor.numel() for tensor, _ in lost) / among,
            }

    def _left(self, trained: list[Tensor]) -> Iterator[dict[str, Any]]:
        """Networks that were loaded, and were gone before anybody had called them."""
        waiting = self._forget()
        for loaded in waiting:
            if not loaded.called and not loaded.alive and (instead := loaded.instead(trained)):
                facts = self._facts("dropped", [tensor for tensor, _ in instead], trained, instead[0][1])
                yield facts | {"loaded": loaded.source, "of_learned": 1.0}

    def _never_loaded(self, trained: list[Tensor]) -> Iterator[dict[str, Any]]:
        """Networks that a state was to be loaded into of which no name fitted, and nothing since."""
        for call in [*self._unmatched]:
            wanted = {id(tensor) for ref in call.tensors if (tensor := ref()) is not None}
            here = [tensor for tensor in trained if id(tensor) in wanted]
            if here or not wanted:
                self._unmatched.remove(call)
            if here and not any(map(self._learned.find, here)):
                facts = self._facts("unmatched", here, trained, call.source)
                yield facts | {"loaded": call.source, "of_learned": 1.0, "names": [*call.names]}

    def _facts(self, how: str, lost: list[Tensor], trained: list[Tensor], source: str) -> dict[str, Any]:
        share = sum(tensor.numel() for tensor in lost) / sum(tensor.numel() for tensor in trained)
        self._roster.meet_holders(lost)
        numbers = [*map(self._roster.number_of, lost)]
        return {"how": how, "numbers": numbers[:50], "count": len(lost), "source": source, "of_trained": share}


def _of(state: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: state[name] for name in names if name in state}


def _outside_apply() -> str:
    """The line that drew weights anew: where `Module.apply` did, the one that called it."""
    found, frame = None, cast("FrameType | None", sys._getframe(1))
    while frame is not None:
        if frame.f_code is nn.Module.apply.__code__:
            found = None
        elif found is None and is_users(frame.f_code.co_filename):
            found = frame
        frame = frame.f_back
    return source_of(found)
