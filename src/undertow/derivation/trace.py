"""A reverse sweep by the rules' maps, noted down call by call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from undertow.derivation.names import operation, saved
from undertow.derivation.recording import Recording
from undertow.derivation.scopes import FORWARD, LOSS, Bracket, Scopes
from undertow.derivation.values import Values
from undertow.engine.algebras.base import fitted
from undertow.engine.calculus import CALCULUS
from undertow.engine.graph import Graph
from undertow.engine.passages import Ruled
from undertow.errors import MissingRuleError

__all__ = ["Block", "Trace"]


@dataclass(eq=False)
class Block:
    """Consecutive operations of one call of a module.

    Attributes:
        call: The call that recorded them.
        operations: The forward operations that it carries cotangents through.
        start: The number of its first call.
    """

    call: Bracket
    operations: list[str]
    start: int

    @property
    def scope(self) -> str:
        """The path of the module."""
        return self.call[2]


class Saved:
    """What a node saved, each tensor named as it is read."""

    def __init__(self, node: Any, scope: str, values: Values):
        self._node, self._scope, self._values = node, scope, values

    def __getattr__(self, name: str) -> Any:
        with torch._C.DisableTorchFunction():
            value = self._named(getattr(self._node, name), name) if "saved" in name else getattr(self._node, name)
        setattr(self, name, value)
        return value

    def __call__(self, *cotangents: Tensor) -> Any:
        """The node's own product, which rules ask for where it tells what moved where; the program is given it."""
        with torch._C.DisableTorchFunction():
            return self._node(*cotangents)

    def _named(self, value: Any, name: str) -> Any:
        if isinstance(value, Tensor):
            value = value.detach()
            self._values.met(value, self._scope, saved(type(self._node).__name__, name))
        elif type(value) is tuple:
            value = tuple(self._named(part, name) for part in value)
        return value


@dataclass(eq=False)
class Trace:
    """One sweep from a loss to a model's parameters.

    Attributes:
        blocks: Its parts, in order.
        wishes: How a tensor would best be called, by its identity: parts of a name.
        named: The tensors that are to have a name in any case.
        gradients: What arrived, by parameter.
    """

    graph: Graph
    scopes: Scopes
    values: Values
    recording: Recording = field(default_factory=Recording)
    blocks: list[Block] = field(default_factory=list)
    wishes: dict[int, Sequence[str]] = field(default_factory=dict)
    named: set[int] = field(default_factory=set)
    gradients: dict[str, Tensor] = field(default_factory=dict)
    _arrived: dict[tuple[int, int], list[tuple[Tensor, str]]] = field(default_factory=dict)

    def run(self, loss: Tensor, parameters: Mapping[Tensor, str]) -> None:
        """Carry the cotangent of the loss to these parameters."""
        leaves = {index: parameters[leaf] for index, leaf in self.graph.leaves() if leaf in parameters}
        needed = self.graph.towards(leaves)
        with torch.no_grad(), self.recording:
            self._begin_block(FORWARD, [])
            self._arrived[self.graph.roots[0]] = [(_one(loss), "")]
            for index in range(len(self.graph)):
                if index in leaves:
                    self._finish(index, leaves[index])
                elif needed[index] and self.graph.edges[index]:
                    self._carry(index, needed)
        self.gradients = {name: self.gradients[name] for name in parameters.values() if name in self.gradients}

    def _carry(self, index: int, needed: Sequence[bool]) -> None:
        node, edges = self.graph.nodes[index], self.graph.edges[index]
        scope, name = self.scopes.of_node(node), type(node).__name__
        first = self._enter(self.scopes.around(node), operation(name))
        wanted = [position if edge and needed[edge[0]] else None for position, edge in enumerate(edges)]
        cotangents = [self._cotangent(index, slot, first) for slot in range(len(self.graph.spaces[index]))]
        if not any(cotangent is not None for cotangent in cotangents):
            return
        rule, reading = CALCULUS.get(name), Saved(node, scope, self.values)
        if rule is None or (local := rule(reading)) is None:
            raise _unwritten(name, scope)
        parts = Ruled.of(local, range(len(cotangents)), wanted).pulled(cotangents)
        for edge, want, part in zip(edges, wanted, parts, strict=False):
            if edge is not None and want is not None and part is not None:
                part = fitted(part, *self.graph.spaces[edge[0]][edge[1]])
                self._arrived.setdefault(edge, []).append((part, scope or operation(name)))

    def _enter(self, call: Bracket, name: str) -> bool:
        """Note an operation in the block of its module; whether the block begins with it."""
        if self.blocks[-1].call == call and self.blocks[-1].operations:
            self.blocks[-1].operations.append(name)
            return False
        self._begin_block(call, [name])
        return True

    def _begin_block(self, call: Bracket, operations: list[str]) -> None:
        self.blocks.append(Block(call, operations, len(self.recording.calls)))

    def _cotangent(self, index: int, slot: int, first: bool) -> Tensor | None:
        """What arrived at an output of an operation, added up and named."""
        node = self.graph.nodes[index]
        path = self.scopes.outputs.get((node, slot))
        if (index, slot) in self.graph.roots:
            path = LOSS
        scope = self.scopes.of_node(node)
        wish = ("d", path) if path else ("d", scope, operation(type(node).__name__), str(slot or ""))
        return self._joined((index, slot), wish, force=first or path is not None)

    def _joined(self, place: tuple[int, int], wish: Sequence[str], *, force: bool) -> Tensor | None:
        parts = self._arrived.pop(place, [])
        if not parts:
            return None
        total = parts[0][0]
        if len(parts) > 1:
            for part, sender in parts:
                self._wish(part, (*wish, "via", sender))
            for part, _ in parts[1:]:
                total = total + part
        elif force and id(total) in self.named:
            total = self.recording.renamed(total)
        self._wish(total, wish, force=force or len(parts) > 1)
        return total

    def _wish(self, tensor: Tensor, wish: Sequence[str], *, force: bool = True) -> None:
        self.wishes.setdefault(id(tensor), wish)
        if force:
            self.named.add(id(tensor))

    def _finish(self, index: int, name: str) -> None:
        if len(self._arrived.get((index, 0), ())) > 1:
            self._begin_block((0, 0, name), ["added up over its uses"])
        gradient = self._joined((index, 0), ("grad", name), force=True)
        if gradient is not None:
            self.gradients[name] = gradient


def _one(loss: Tensor) -> Tensor:
    usual = loss.dtype is torch.get_default_dtype()
    return torch.ones(tuple(loss.shape)) if usual else torch.ones(tuple(loss.shape), dtype=loss.dtype)


def _unwritten(name: str, scope: str) -> MissingRuleError:
    return MissingRuleError(
        f"the backward pass cannot be written out: no rule for {name}, met in {scope or 'the forward of the model'}\n"
        "  Its derivative is known to PyTorch alone, which computes it and cannot show it.\n"
        f'  State it with @undertow.derivative("{name}"), or leave the operation out of what is derived.'
    )
