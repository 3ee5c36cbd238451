"""The flow map as it stands when a page is opened, drawn beforehand for a page whose script does not run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from undertow.show.blocks import FlowMap
from undertow.show.lanes import Edge, Row, course, lanes
from undertow.show.words import decades

__all__ = ["StillMap", "still_map"]

Size = float | str | None
"""Decades; `None` for nothing at all, a word for what is not finite."""

ROOM, PITCH, LEFT = 200, 50, 26
THINNEST, WIDEST = 2, 28
LEAST, MOST = 4, 20
"""Decades that the scale spans."""
HOLLOW = 6
TONES = 9


@dataclass(frozen=True)
class StillMap:
    """What a template needs to draw the map.

    Attributes:
        rows: For each row its class, name, numbers and bar.
        rivers: Connections: path, colour, width, dashes, and the width of what is hollow in them.
        stations: Where rows are on their lanes: place, form, half of the width, and colour.
        marks: The scale: decades and colour, from the strongest to the weakest.
        lanes, width, height: In pixels.
    """

    rows: Sequence[Mapping[str, Any]]
    rivers: Sequence[Mapping[str, Any]]
    stations: Sequence[Mapping[str, Any]]
    marks: Sequence[tuple[str, str]]
    lanes: float
    width: float
    height: float
    target: str = field(default="")


def still_map(block: FlowMap) -> StillMap:
    """The first moment of a map, folded as it is at first."""
    moment = block.moments[0]
    graph = block.graphs[moment["graph"]]
    scale = _Scale.of([other for other in block.moments if other["graph"] == moment["graph"]], moment["start"])
    rows = [Row("loss", "Loss"), *_rows(graph, graph["tree"], 0), Row("input", "Input")]
    places, edges, count = lanes(rows, _edges(graph, moment, rows))
    pitch = min(PITCH, ROOM / (count + 0.3))
    tops = [0.0]
    for row in rows:
        tops.append(tops[-1] + row.height)
    spots = [
        (LEFT + pitch * (place or 0), top + row.height / 2) for row, top, place in zip(rows, tops, places, strict=False)
    ]
    squeeze = min(1.0, pitch / 34)
    enters = _entering(rows, edges, moment)
    told = list(_told(graph, moment, rows, enters))
    order = sorted(edges, key=lambda edge: (not edge.skip, -scale.girth(edge.size)))
    return StillMap(
        rows=told,
        rivers=[_river(edge, course(edge, spots, LEFT + pitch * edge.lane), scale, squeeze) for edge in order],
        stations=[
            _station(spot, size, scale, squeeze) | {"type": row["type"], "loud": row["loud"]}
            for row, spot, size in zip(told, spots, enters, strict=True)
            if row["type"] != "head"
        ],
        marks=[(f"{mark}".replace("-", "−"), scale.tone(mark + scale.start)) for mark in scale.marks],
        lanes=LEFT + pitch * (count - 1) + 34,
        width=LEFT + pitch * count,
        height=tops[-1],
        target=moment["target"],
    )


@dataclass(frozen=True)
class _Scale:
    """Decades from the loss, as width and colour."""

    start: float
    high: int
    low: int

    @classmethod
    def of(cls, moments: Sequence[Mapping[str, Any]], start: Size) -> _Scale:
        sizes = [
            size - moment["start"]
            for moment in moments
            if isinstance(moment["start"], float)
            for size in moment["flows"]
            if isinstance(size, float)
        ]
        high = max(0, math.ceil(max(sizes, default=0.0)))
        low = max(min(math.floor(min(sizes, default=0.0)), high - LEAST), high - MOST)
        return cls(start if isinstance(start, float) else math.nan, high, low)

    @property
    def marks(self) -> range:
        return range(self.high, self.low - 1, -max(1, math.ceil((self.high - self.low) / 4)))

    def at(self, size: float) -> float:
        """Between 0, the weakest, and 1."""
        return min(max((size - self.start - self.low) / (self.high - self.low), 0.0), 1.0)

    def girth(self, size: Size) -> float:
        if isinstance(size, str):
            return HOLLOW
        return 1.4 if size is None or math.isnan(self.start) else THINNEST + (WIDEST - THINNEST) * self.at(size)

    def tone(self, size: Size) -> str:
        if isinstance(size, str):
            return "var(--bad)"
        return "var(--muted)" if size is None or math.isnan(self.start) else f"var(--s{round(TONES * self.at(size))})"


def _rows(graph: Mapping[str, Any], group: Mapping[str, Any], depth: int) -> Iterator[Row]:
    """Heads of unfolded groups, folded groups, single operations, from the loss down."""
    for item in group["items"]:
        if isinstance(item, int):
            leaf = graph["leaves"][item]
            yield Row("leaf" if leaf else "op", leaf or graph["operations"][item], depth=depth, operations=(item,))
        elif item["id"] in graph["open"]:
            yield _group("head", item, depth)
            yield from _rows(graph, item, depth + 1)
        else:
            yield _group("box", item, depth)


def _group(kind: str, item: Mapping[str, Any], depth: int) -> Row:
    return Row(kind, item["name"], item["kind"], item["path"], depth, tuple(_operations(item)))


def _operations(group: Mapping[str, Any]) -> Iterator[int]:
    for item in group["items"]:
        yield from (item,) if isinstance(item, int) else _operations(item)


def _edges(graph: Mapping[str, Any], moment: Mapping[str, Any], rows: Sequence[Row]) -> list[Edge]:
    """Connections between rows, taken together where they join the same two."""
    holder = {op: place for place, row in enumerate(rows) if row.type != "head" for op in row.operations}
    joined: dict[tuple[int, int], list[Size]] = {}
    for (sender, receiver), size in zip(graph["edges"], moment["flows"], strict=True):
        if holder[sender] != holder[receiver]:
            joined.setdefault((holder[sender], holder[receiver]), []).append(size)
    for operation, seed in zip(graph["roots"], moment["seeds"], strict=True):
        joined.setdefault((0, holder[operation]), []).append(seed)
    onward: dict[int, list[int]] = {}
    for sender, receiver in joined:
        onward.setdefault(sender, []).extend([receiver] if receiver > sender else [])
    return [Edge(*ends, _together(sizes), _goes_round(*ends, rows, onward)) for ends, sizes in joined.items()]


def _goes_round(sender: int, receiver: int, rows: Sequence[Row], onward: Mapping[int, Sequence[int]]) -> bool:
    """Whether the end of a connection can also be reached by way of what it passes by; no parameter's can."""
    if receiver < sender or rows[receiver].type == "leaf":
        return False
    seen: set[int] = set()
    waiting = [other for other in onward[sender] if other != receiver]
    while waiting:
        at = waiting.pop()
        if at == receiver:
            return True
        if at < receiver and at not in seen:
            seen.add(at)
            waiting += onward.get(at, ())
    return False


def _together(sizes: Sequence[Size]) -> Size:
    """The norm of several gradients taken as one."""
    odd = next((size for size in sizes if isinstance(size, str)), None)
    some = [size for size in sizes if isinstance(size, float)]
    if odd is not None or not some:
        return odd
    return max(some) + 0.5 * math.log10(math.fsum(10 ** (2 * (size - max(some))) for size in some))


def _entering(rows: Sequence[Row], edges: Sequence[Edge], moment: Mapping[str, Any]) -> list[Size]:
    arriving = [_together([edge.size for edge in edges if edge.receiver == place]) for place in range(len(rows))]
    return [moment["start"], *arriving[1:]]


def _told(
    graph: Mapping[str, Any], moment: Mapping[str, Any], rows: Sequence[Row], enters: Sequence[Size]
) -> Iterator[dict[str, Any]]:
    brought = dict(moment["decades"])
    sums = [math.fsum(brought.get(op, 0.0) for op in row.operations) for row in rows]
    widest = max([0.5, *(abs(total) for row, total in zip(rows, sums, strict=True) if row.type != "head")])
    loud, fault = _loud(rows, sums, set(moment["head"])), _fault(graph, rows)
    for place, (row, total, size) in enumerate(zip(rows, sums, enters, strict=True)):
        counted = any(op in brought for op in row.operations)
        yield {
            "type": row.type,
            "name": row.name,
            "kind": row.kind,
            "depth": row.depth,
            "height": row.height,
            "fault": place == fault,
            "loud": place in loud,
            "here": decades(total) if counted else "",
            "bar": 50 * abs(total) / widest if counted and row.type != "head" else 0.0,
            "less": total < 0,
            "below": "" if row.type == "head" else _below(size, moment["start"]),
            "loss": moment["loss"] if row.type == "loss" else "",
        }


def _below(size: Size, start: Size) -> str:
    if size is None:
        return "nothing"
    if isinstance(size, str):
        return "∞" if size == "infinite" else "NaN"
    return decades(size - start) if isinstance(start, float) else ""


def _loud(rows: Sequence[Row], sums: Sequence[float], head: set[int]) -> set[int]:
    """The rows of the network, not of its loss, that took the most of three decades and more."""
    losing = [
        place
        for place, (row, total) in enumerate(zip(rows, sums, strict=True))
        if row.type != "head" and total < -0.05 and not head.issuperset(row.operations)
    ]
    losing.sort(key=lambda place: sums[place])
    whole = math.fsum(sums[place] for place in losing)
    if whole > -3:
        return set()
    return {place for place in losing[:12] if sums[place] < -0.3 and sums[place] <= 0.8 * whole / len(losing)}


def _fault(graph: Mapping[str, Any], rows: Sequence[Row]) -> int | None:
    """The innermost row that holds the module (and, where it is shown, the operation) at fault."""
    module, operation, source = (graph["cause"][key] for key in ("module", "operation", "source"))
    if not module and not source:
        return None
    within = [f"{of}." for of in graph["modules"]]
    guilty = [
        of.startswith(f"{module}.") if module else at == source for of, at in zip(within, graph["sources"], strict=True)
    ]
    holds = [place for place, row in enumerate(rows) if any(guilty[op] for op in row.operations)]
    exact = [place for place in holds if rows[place].type == "op" and rows[place].name == operation]
    whole = [place for place in holds if rows[place].type in {"head", "box"} and rows[place].path == module]
    boxes = [place for place in holds if rows[place].type == "box"]
    return next(iter(exact or whole or boxes), None)


def _river(edge: Edge, path: str, scale: _Scale, squeeze: float) -> dict[str, Any]:
    """A skip is hollow, as a pipe that goes round; where it is too thin for that, dashed."""
    width = max(1.4, scale.girth(edge.size) * squeeze)
    thin = isinstance(edge.size, str) or (edge.skip and width < HOLLOW)
    hollow = edge.skip and width >= HOLLOW and isinstance(edge.size, float)
    return {
        "path": path,
        "tone": scale.tone(edge.size),
        "width": round(width, 1),
        "dashes": "1 5" if edge.size is None else "7 4" if thin else "",
        "bore": round(width - max(3.6, 0.42 * width), 1) if hollow else 0,
    }


def _station(spot: tuple[float, float], size: Size, scale: _Scale, squeeze: float) -> dict[str, Any]:
    half = max(10.0, scale.girth(size) * squeeze / 2 + 4)
    return {"x": round(spot[0], 1), "y": spot[1], "half": round(half, 1), "tone": scale.tone(size)}
