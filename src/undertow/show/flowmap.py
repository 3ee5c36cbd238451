"""The flow map: the network, with what came along each of its connections."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from undertow.diagnose.finding import Finding
from undertow.engine.flow import Attribution
from undertow.engine.graph import Topology
from undertow.show.blocks import FlowMap
from undertow.show.moments import Moment, started
from undertow.show.tree import as_data, opened, tree
from undertow.show.words import number, short_operation
from undertow.store.records import Parameter

__all__ = ["flow_map"]

NOTE = (
    "The gradient starts at the loss and runs down to the input. The wider and stronger a connection, the more of it "
    "came along; each step of the scale is a decade, a factor of ten. Bars say what each part took (left) or added "
    "(right)."
)


def flow_map(shown: Sequence[Moment], parameters: Sequence[Parameter], cause: Finding | None) -> FlowMap:
    """The map of the observed passes that are shown, at least one."""
    kinds = {parameter.module: parameter.kind for parameter in parameters if parameter.kind}
    topologies = list(dict.fromkeys(id(moment.seen.flow.topology) for moment in shown))
    graphs = []
    for identity in topologies:
        moment = next(moment for moment in shown if id(moment.seen.flow.topology) == identity)
        graphs.append(_graph(moment, kinds, cause))
    return FlowMap(
        title="The flow map",
        note=NOTE,
        graphs=graphs,
        moments=[_moment(moment, topologies.index(id(moment.seen.flow.topology))) for moment in shown],
    )


def _graph(moment: Moment, kinds: Mapping[str, str], cause: Finding | None) -> dict[str, Any]:
    topology = moment.seen.flow.topology
    root = tree(topology, _kinds(topology, kinds))
    numbers: dict[int, int] = {}
    data = as_data(root, numbers, count())
    fault = cause.module if cause is not None else ""
    return {
        "tree": data,
        "open": [numbers[id(group)] for group in opened(root, _brought(moment.account), fault)],
        "operations": [short_operation(operation.name) for operation in topology.operations],
        "sources": [operation.source for operation in topology.operations],
        "modules": [operation.module for operation in topology.operations],
        "leaves": [_leaf(operation.name, operation.leaf) for operation in topology.operations],
        "shapes": [" ".join("×".join(map(str, shape)) or "1" for shape in op.shapes) for op in topology.operations],
        "edges": [(edge.sender, edge.receiver) for edge in topology.edges],
        "roots": [index for index, _ in topology.roots],
        "cause": {
            "module": fault,
            "operation": short_operation(cause.operation) if cause is not None else "",
            "source": cause.source if cause is not None else "",
        },
    }


def _kinds(topology: Topology, known: Mapping[str, str]) -> dict[str, str]:
    """The class of each module; where that is not known, the one operation it is made of."""
    made: dict[str, list[str]] = {}
    for operation in topology.operations:
        if operation.module and operation.name != "AccumulateGrad":
            made.setdefault(operation.module, []).append(short_operation(operation.name))
    parents = {module.rpartition(".")[0] for module in made}
    alone = {module: names[0] for module, names in made.items() if len(set(names)) == 1 and module not in parents}
    return alone | dict(known)


def _leaf(operation: str, leaf: str) -> str:
    return leaf or ("a tensor without a name" if operation == "AccumulateGrad" else "")


def _moment(moment: Moment, graph: int) -> dict[str, Any]:
    flow = moment.seen.flow
    return {
        "label": moment.label,
        "graph": graph,
        "loss": number(moment.seen.loss) if not math.isnan(moment.seen.loss) else "",
        "start": _decades(started(flow)),
        "head": moment.seen.head.operations,
        "seeds": [_decades(seed / flow.scale) for seed in flow.seeds],
        "norms": _all(flow.cotangents),
        "flows": _all(flow.contributions),
        "decades": [[index, round(brought, 4)] for index, brought in _brought(moment.account).items()],
        "target": moment.target,
        "total": _plain(moment.account.total) if moment.account else None,
    }


def _brought(account: Attribution | None) -> dict[int, float]:
    """For each operation, the decades that it and the meeting of paths there brought."""
    if account is None:
        return {}
    sums = dict(account.gains)
    for index, brought in account.interferences.items():
        sums[index] = sums.get(index, 0.0) + brought
    return {index: brought for index, brought in sums.items() if math.isfinite(brought)}


def _all(sizes: Iterable[float]) -> list[float | str | None]:
    return [_decades(size) for size in sizes]


def _decades(size: float) -> float | str | None:
    """The common logarithm: `None` for an exact zero, a word for what is not finite."""
    if not math.isfinite(size):
        return "not a number" if math.isnan(size) else "infinite"
    return round(math.log10(size), 3) if size > 0 else None


def _plain(value: float) -> float | str | None:
    return value if math.isfinite(value) else str(value)
