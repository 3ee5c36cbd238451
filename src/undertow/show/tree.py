"""A graph as a tree of modules that can be folded to a number of boxes a person can read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from undertow.engine.graph import Topology
from undertow.engine.plan import ISOMETRIES
from undertow.show.words import short_operation

__all__ = ["Group", "module_of", "opened", "tree"]

CROWDED = 12
"""A group of more children than this has its runs of like children put into groups of their own."""
FAN = 12
READABLE = 25
"""How many boxes a map starts with, at most."""


@dataclass
class Group:
    """A module, or a run of neighbours that are shown as one: its items are groups and indices of operations."""

    name: str
    path: str = ""
    kind: str = ""
    items: list[Group | int] = field(default_factory=list)

    def operations(self) -> Iterator[int]:
        for item in self.items:
            if isinstance(item, Group):
                yield from item.operations()
            else:
                yield item

    def groups(self) -> list[Group]:
        return [item for item in self.items if isinstance(item, Group)]


def module_of(topology: Topology) -> list[str]:
    """For each operation the path of its module.

    A leaf counts for the module that its name says, or that uses it. Where a forward pass ran unobserved, so that the
    operations of a module are not known, those that use its parameters count for it.
    """
    modules = [operation.module for operation in topology.operations]
    for edge in topology.edges:
        receiver = topology.operations[edge.receiver]
        if not receiver.module and receiver.name == "AccumulateGrad":
            modules[edge.receiver] = receiver.leaf.rpartition(".")[0] if receiver.leaf else modules[edge.sender]
    called = {operation.module for operation in topology.operations if operation.name != "AccumulateGrad"}
    for edge in reversed(topology.edges):
        passed_on = topology.operations[edge.receiver].name in ISOMETRIES | {"AccumulateGrad"}
        if not modules[edge.sender] and passed_on and modules[edge.receiver] not in called:
            modules[edge.sender] = modules[edge.receiver]
    return modules


def tree(topology: Topology, kinds: Mapping[str, str]) -> Group:
    """The operations by module, from the loss to the input, long runs put into groups; `kinds` are modules' classes."""
    root = Group("")
    by_path = {"": root}
    modules = module_of(topology)
    for index in _from_the_loss(topology):
        _group_at(modules[index], by_path, kinds).items.append(index)
    return _folded(root, topology)


def _from_the_loss(topology: Topology) -> list[int]:
    """Sweep order, but each leaf right behind the last operation that uses it."""
    place = {index: (index, 0) for index in range(len(topology))}
    for edge in topology.edges:
        if topology.operations[edge.receiver].name == "AccumulateGrad":
            place[edge.receiver] = (edge.sender, 1 + edge.position)
    return sorted(place, key=lambda index: place[index])


def _group_at(path: str, by_path: dict[str, Group], kinds: Mapping[str, str]) -> Group:
    if path not in by_path:
        parent, _, name = path.rpartition(".")
        by_path[path] = Group(name, path, kinds.get(path, ""))
        _group_at(parent, by_path, kinds).items.append(by_path[path])
    return by_path[path]


def _folded(group: Group, topology: Topology) -> Group:
    while len(group.items) == 1 and isinstance(only := group.items[0], Group) and group.path:
        group = Group(f"{group.name}.{only.name}", only.path, only.kind, only.items)
    items = [_folded(item, topology) if isinstance(item, Group) else item for item in _untangled(group.items, topology)]
    if len(items) > CROWDED:
        runs = [list(run) for _, run in groupby(items, key=lambda item: isinstance(item, Group))]
        items = [item for run in runs for item in _bundled(run, len(items), topology)]
    return Group(group.name, group.path, group.kind, _chunked(items, topology) if len(items) > READABLE + 2 else items)


def _untangled(items: list[Group | int], topology: Topology) -> list[Group | int]:
    """Containers that are no step of their own, such as a list of layers with functions between them, give way to
    what they hold, so that the order is the order of the flow."""
    for item in items:
        if (
            isinstance(item, Group)
            and item.path
            and len(item.groups()) == len(item.items)
            and _torn(item, items, topology)
        ):
            held = [replace(inner, name=f"{item.name}.{inner.name}") for inner in item.groups()]
            rest = [other for other in items if other is not item]
            return _untangled(sorted([*rest, *held], key=lambda one: _span(one, topology)), topology)
    return items


def _torn(group: Group, items: list[Group | int], topology: Topology) -> bool:
    """Whether something else comes between the first and the last operation of a group."""
    first, last = _span(group, topology)
    spans = [_span(item, topology) for item in items if item is not group]
    return any(first < start < last for start, _ in spans)


def _span(item: Group | int, topology: Topology) -> tuple[int, int]:
    inside = [item] if isinstance(item, int) else list(item.operations())
    steps = [index for index in inside if topology.operations[index].name != "AccumulateGrad"]
    return min(steps or inside), max(steps or inside)


def _bundled(run: list[Group | int], crowd: int, topology: Topology) -> Sequence[Group | int]:
    modules = isinstance(run[0], Group)
    if modules and crowd <= READABLE:
        return run
    if modules or crowd == len(run):
        return _chunked(run, topology)
    return run if len(run) < 3 else [_bundle(_chunked(run, topology), topology)]


def _chunked(run: list[Group | int], topology: Topology) -> list[Group | int]:
    """A long run as about as many groups as each of them has members."""
    if len(run) <= FAN:
        return run
    levels = math.ceil(math.log(len(run)) / math.log(FAN))
    size = math.ceil(len(run) / math.ceil(len(run) ** (1 / levels)))
    parts = [run[start : start + size] for start in range(0, len(run), size)]
    return [_bundle(_chunked(part, topology), topology) for part in parts]


def _bundle(items: list[Group | int], topology: Topology) -> Group | int:
    if len(items) == 1:
        return items[0]
    ends = [path for path in map(_ends, reversed(items)) if path]
    if ends:
        first, last = ends[0][1], ends[-1][0]
        name = first if first == last else f"{first} … {last}"
        return Group(name, kind=_modules(sum(map(_count, items))), items=items)
    names = [topology.operations[index].name for index in Group("", items=items).operations()]
    telling = [name for name in names if name not in ISOMETRIES and name != "AccumulateGrad"] or names
    common = [short_operation(name) for name, _ in Counter(telling).most_common(3)]
    more = ", …" if len(set(names)) > len(common) else ""
    return Group(", ".join(common) + more, kind=f"{len(names)} operations", items=items)


def _ends(item: Group | int) -> tuple[str, str] | None:
    """The paths of the modules nearest the loss and nearest the input in an item; none where it is no module."""
    if isinstance(item, int):
        return None
    if item.path:
        return item.path, item.path
    inside = [ends for ends in map(_ends, item.items) if ends]
    return (inside[0][0], inside[-1][1]) if inside else None


def _modules(count: int) -> str:
    return f"{count} modules" if count > 1 else "with what surrounds it"


def _count(item: Group | int) -> int:
    if isinstance(item, int):
        return 0
    return 1 if item.path else sum(map(_count, item.items))


def opened(root: Group, weight: Mapping[int, float], cause: str) -> list[Group]:
    """Which groups to show unfolded at first: those on the way to the cause, then the shallow and the lossy ones."""
    shown, chosen = len(root.items), [root]
    waiting = [(1, group) for group in root.groups()]
    while waiting:
        waiting.sort(key=lambda entry: _urgency(entry[0], entry[1], weight, cause))
        depth, group = waiting.pop(0)
        if not any(map(_holds_modules, group.groups())):
            continue
        shown += len(group.items) - 1
        if shown > READABLE:
            break
        chosen.append(group)
        waiting += [(depth + 1, inner) for inner in group.groups()]
    return chosen


def _holds_modules(group: Group) -> bool:
    return bool(group.path) or any(map(_holds_modules, group.groups()))


def _urgency(depth: int, group: Group, weight: Mapping[int, float], cause: str) -> tuple[bool, int, float]:
    holds = bool(cause) and any(_within(cause, inner) for inner in _paths(group))
    return (not holds, depth, -abs(sum(weight.get(index, 0.0) for index in group.operations())))


def _paths(group: Group) -> Iterator[str]:
    if group.path:
        yield group.path
    else:
        for inner in group.groups():
            yield from _paths(inner)


def _within(module: str, path: str) -> bool:
    return module == path or module.startswith(f"{path}.")


def as_data(group: Group, numbers: dict[int, int], counter: Iterator[int]) -> dict[str, Any]:
    """The tree as plain data; `numbers` is filled with the number of each group, by its identity."""
    numbers[id(group)] = next(counter)
    items = [item if isinstance(item, int) else as_data(item, numbers, counter) for item in group.items]
    return {"id": numbers[id(group)], "name": group.name, "path": group.path, "kind": group.kind, "items": items}
