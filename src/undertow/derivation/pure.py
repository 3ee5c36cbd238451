"""Calls that write in place, as calls that answer with something new, where nobody can tell the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from undertow.derivation.expressions import mutates
from undertow.derivation.recording import Call, tensors_in

__all__ = ["pure", "reads", "storage"]


def pure(calls: Sequence[Call]) -> list[Call]:
    """The same calls. A tensor that is made, written into and then read, under this one name, is not written into."""
    calls = list(calls)
    for tensor, maker, writers in [*_candidates(calls)]:
        earlier = tensor.detach()
        calls[maker] = replace(calls[maker], answer=earlier)
        for number in writers:
            answer = tensor if number == writers[-1] else tensor.detach()
            calls[number] = _answering_anew(calls[number], earlier, answer)
            earlier = answer
    return calls


def reads(call: Call) -> list[Tensor]:
    """The tensors that a call is given."""
    return [*tensors_in([*call.args, *call.kwargs.values()])]


def storage(tensor: Tensor) -> int:
    """What tells the memory of a tensor from any other."""
    memory: int = tensor.untyped_storage()._cdata
    return memory


def _candidates(calls: Sequence[Call]) -> Iterator[tuple[Tensor, int, list[int]]]:
    """Tensors that no other shares memory with, with the calls that make and write them, all before any that reads."""
    users: dict[int, list[int]] = {}
    sharing: dict[int, set[int]] = {}
    for number, call in enumerate(calls):
        for tensor in (*reads(call), *tensors_in(call.answer)):
            users.setdefault(id(tensor), []).append(number)
            sharing.setdefault(storage(tensor), set()).add(id(tensor))
    for number, call in enumerate(calls):
        tensor = call.answer
        if isinstance(tensor, Tensor) and not mutates(call.func) and len(sharing[storage(tensor)]) == 1:
            of_it = [*dict.fromkeys(users[id(tensor)])]
            writers = [n for n in of_it if mutates(calls[n].func) and calls[n].args[0] is tensor]
            if writers and of_it[: len(writers) + 1] == [number, *writers] and all(_new(calls[n]) for n in writers):
                yield tensor, number, writers


def _new(call: Call) -> Any:
    """The method that answers with something new, if there is one."""
    name = getattr(call.func, "__name__", "")
    return getattr(Tensor, name.removesuffix("_"), None) if name.endswith("_") and not name.startswith("__") else None


def _answering_anew(call: Call, earlier: Tensor, answer: Tensor) -> Call:
    return replace(call, func=_new(call), args=(earlier, *call.args[1:]), answer=answer)
