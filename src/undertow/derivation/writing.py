"""Turning the calls of a sweep into the lines of a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor

from undertow.derivation.expressions import Text, atom, expression, mutates
from undertow.derivation.pure import pure, reads, storage
from undertow.derivation.recording import Call, renamed_as, tensors_in
from undertow.derivation.trace import Block, Trace

__all__ = ["body"]

LONGEST = 56
"""Characters. An expression longer than that gets a name of its own."""

LAYOUT = frozenset(
    {
        *("alias", "clone", "detach", "expand", "permute", "reshape", "select", "slice", "squeeze"),
        *("t", "transpose", "unsafe_view", "unsqueeze", "view"),
    }
)
"""Operations that a heading leaves out where there are others: they move entries, and compute nothing."""

TRANSPOSING = (".T", ".mT")


def body(trace: Trace) -> tuple[list[str], Mapping[int, Text]]:
    """The statements, block by block, under headings, and what stands for each tensor."""
    writing = Writing(trace)
    return [*writing.lines()], writing.texts


@dataclass(eq=False)
class Writing:
    """One program being written.

    Attributes:
        texts: What stands for each tensor that has been met, by its identity.
        uses: How often each is read by what is kept.
        block_of: The block that reads it last.
        written: The storages that something writes into, whose order of reading and writing matters.
    """

    trace: Trace
    texts: dict[int, Text] = field(default_factory=dict)
    uses: Counter[int] = field(default_factory=Counter)
    block_of: dict[int, int] = field(default_factory=dict)
    written: set[int] = field(default_factory=set)
    scope: str = ""

    def lines(self) -> Iterator[str]:
        calls = pure(self.trace.recording.calls)
        kept = _alive([call for call in calls if not _is_idle(call)], [*self.trace.gradients.values()])
        blocks = [*self._blocks(calls, kept)]
        self._count(blocks)
        for number, (block, part) in enumerate(blocks):
            self.scope = block.scope
            statements = [line for call in part for line in self._statement(call, number)]
            if statements:
                yield from ("", self._heading(block), *statements)

    def _blocks(self, calls: list[Call], kept: set[int]) -> Iterator[tuple[Block, list[Call]]]:
        """What is kept of each block."""
        starts = [*(block.start for block in self.trace.blocks), len(calls)]
        for block, (start, stop) in zip(self.trace.blocks, pairwise(starts), strict=True):
            yield block, [call for call in calls[start:stop] if id(call) in kept]

    def _count(self, blocks: list[tuple[Block, list[Call]]]) -> None:
        for number, (_, calls) in enumerate(blocks):
            for call in calls:
                for tensor in reads(call):
                    self.uses[id(tensor)] += 1
                    self.block_of[id(tensor)] = number
                if mutates(call.func):
                    self.written.add(storage(call.args[0]))

    def _heading(self, block: Block) -> str:
        kind = self.trace.scopes.kind(block.scope)
        where = f"{block.scope} ({kind})" if kind and block.scope else block.scope or "in forward"
        named = [name for name in block.operations if name not in LAYOUT] or block.operations
        return f"# {where}: {', '.join(named)}" if named else "# where it starts"

    def _statement(self, call: Call, number: int) -> Iterator[str]:
        """The line that a call becomes, unless it goes into the line of the one that reads it."""
        text = atom(self._read(call.args[0]).text) if call.func is renamed_as else self._expression(call)
        if mutates(call.func):
            yield text.text
        elif isinstance(call.answer, Tensor):
            yield from self._bound(call, call.answer, text, number)
        else:
            yield from self._unpacked(call, text)

    def _expression(self, call: Call) -> Text:
        return expression(call.func, call.args, call.kwargs, self._read)

    def _bound(self, call: Call, tensor: Tensor, text: Text, number: int) -> Iterator[str]:
        if self._goes_inline(call, tensor, text, number):
            self.texts[id(tensor)] = text
            return
        wish = self.trace.wishes.get(id(tensor)) or (self.scope, _plain_name(call))
        name = self.trace.values.identifiers.fresh(*wish)
        self.texts[id(tensor)] = atom(name)
        yield f"{name} = {text.text}"

    def _goes_inline(self, call: Call, tensor: Tensor, text: Text, number: int) -> bool:
        if id(tensor) in self.trace.named or {storage(t) for t in (tensor, *reads(call))} & self.written:
            return False
        if text.text.endswith(TRANSPOSING) and text.text.rpartition(".")[0].isidentifier():
            return True
        once = self.uses[id(tensor)] == 1 and self.block_of[id(tensor)] == number
        return once and len(text.text) <= LONGEST

    def _unpacked(self, call: Call, text: Text) -> Iterator[str]:
        """A call that answers with several tensors."""
        parts = [*tensors_in(call.answer)]
        wanted = [part for part in parts if self.uses[id(part)] or id(part) in self.trace.named]
        if len(wanted) > 1:
            name = self.trace.values.identifiers.fresh(self.scope, _plain_name(call))
            yield f"{name} = {text.text}"
            text = atom(name)
        for number, part in enumerate(call.answer):
            if any(part is each for each in wanted):
                picked = Text(f"{text.within(100)}[{number}]")
                if id(part) in self.trace.named or self.uses[id(part)] > 1:
                    variable = self.trace.values.identifiers.fresh(
                        *self.trace.wishes.get(id(part), (self.scope, _plain_name(call)))
                    )
                    yield f"{variable} = {picked.text}"
                    picked = atom(variable)
                self.texts[id(part)] = picked

    def _read(self, tensor: Tensor) -> Text:
        known = self.texts.get(id(tensor)) or self.trace.values.texts.get(id(tensor))
        return known or self.trace.values.constant(tensor, self.scope)


def _is_idle(call: Call) -> bool:
    """Whether a call answered with what it was given."""
    return not mutates(call.func) and any(call.answer is argument for argument in reads(call))


def _alive(calls: list[Call], wanted: list[Tensor]) -> set[int]:
    """The calls that something wanted depends on."""
    alive, storages = {*map(id, wanted)}, {*map(storage, wanted)}
    kept = set()
    for call in reversed(calls):
        writes = mutates(call.func) and storage(call.args[0]) in storages
        if writes or any(id(tensor) in alive for tensor in tensors_in(call.answer)):
            kept.add(id(call))
            for tensor in reads(call):
                alive.add(id(tensor))
                storages.add(storage(tensor))
    return kept


def _plain_name(call: Call) -> str:
    name: str = getattr(call.func, "__name__", "value")
    return name.removesuffix(".default").strip("_")
