"""Giving the operations of a graph the names a person knows: modules and lines of code."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from undertow.engine.graph import Graph, Operation, Topology
from undertow.engine.source import source_in_traceback
from undertow.observe.cuts import CutTracer, checkpoint_around
from undertow.observe.guard import Guard
from undertow.observe.roster import Place, Roster

__all__ = ["Names", "Naming"]


class Names:
    """Module and line of each operation of one graph, kept apart from the graph so that names can still change."""

    def __init__(self, places: list[Place | None], sources: list[str], leaves: dict[int, int]):
        self.places = places
        self.sources = sources
        self.leaves = leaves
        self.fresh = True

    def on(self, topology: Topology, roster: Roster) -> Topology:
        """The topology with these names."""

        def named(index: int, operation: Operation) -> Operation:
            leaf = roster.name_at(self.leaves[index]) if index in self.leaves else ""
            place = self.places[index]
            module = roster.path(place) if place is not None else leaf.rpartition(".")[0]
            return replace(operation, module=module, source=self.sources[index], leaf=leaf)

        return topology.named(named)


class Naming:
    """Watches one forward pass for names: which module each operation was recorded in, and at which line.

    Each module call brackets a range of autograd's sequence numbers, and anomaly mode records where
    each operation came from. Both start at the first call of a model that could be trained, so that
    preparing data is left alone.
    """

    def __init__(self, roster: Roster, guard: Guard, *, at_once: bool):
        self._roster = roster
        self._undo = ExitStack()
        self._open: list[tuple[int, Place]] = []
        self._callers: list[nn.Module] = []
        self._brackets: list[tuple[int, int, int, Place]] = []
        self._tracing = False
        self._due = False
        self._guard = guard
        self.cuts = CutTracer(guard)
        for handle in (
            register_module_forward_pre_hook(self._guarded_enters),
            register_module_forward_hook(self._guarded_leaves, always_call=True),
        ):
            self._undo.callback(handle.remove)
        if at_once:
            self._trace()

    def stop(self) -> None:
        self._undo.close()
        self.cuts.stop()

    @property
    def blind(self) -> bool:
        """Whether no model was called, so that nothing was traced."""
        return not self._tracing

    def meet_variables(self) -> None:
        """Name bare tensors after the user's variables."""
        self._roster.meet_locals(None)

    def names(self, graph: Graph) -> Names:
        """What is known of a graph that was recorded while this watched."""
        ordered = sorted(self._brackets)
        starts = [bracket[0] for bracket in ordered]
        places: list[Place | None] = []
        sources = []
        leaves = {index: self._roster.number_of(leaf) for index, leaf in graph.leaves()}
        for index, node in enumerate(graph.nodes):
            places.append(None if index in leaves else _innermost(ordered, starts, node._sequence_nr()))
            sources.append(source_in_traceback(node.metadata.get("traceback_", [])))
        return Names(places, sources, leaves)

    def _guarded_enters(self, module: nn.Module, _: Any) -> None:
        recorded = torch.is_grad_enabled() or checkpoint_around() is not None  # which runs it again, then recorded
        self._guard(self._enters, module, recorded)
        if self._due:
            self._due = False
            self._trace()

    def _guarded_leaves(self, *_: Any) -> None:
        self._guard(self._leaves)

    def _enters(self, module: nn.Module, grad_enabled: bool) -> None:
        roster = self._roster
        number = roster.model_of(module)
        if number is None and self._open:
            number = self._open[-1][1][0]
            roster.adopt(module, number, self._callers[-1])
        if number is None:
            number = roster.meet_model(*roster.label_of(module, None))
        place = roster.place_of(module, number)
        self._due = not self._tracing and grad_enabled and roster.models[number].trained
        roster.called(place)
        roster.meet_attributes(module, place)
        self._callers.append(module)
        self._open.append((torch._C._autograd._get_sequence_nr(), place))

    def _leaves(self) -> None:
        if self._open:
            start, place = self._open.pop()
            self._callers.pop()
            end = torch._C._autograd._get_sequence_nr()
            self._brackets.append((start, -end, len(self._open), place))

    def _trace(self) -> None:
        self._tracing = True
        if not torch.is_anomaly_enabled():
            checks = torch.is_anomaly_check_nan_enabled()
            torch.set_anomaly_enabled(True, False)
            self._undo.callback(torch.set_anomaly_enabled, False, checks)
        self.cuts.start()


def _innermost(brackets: list[tuple[int, int, int, Place]], starts: list[int], number: int) -> Place | None:
    """The place of the innermost bracket around a sequence number. Inner brackets start later, or end sooner."""
    for position in range(bisect_right(starts, number) - 1, -1, -1):
        if number < -brackets[position][1]:
            return brackets[position][3]
    return None
