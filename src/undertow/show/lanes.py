"""Every row of the flow map has a station on a lane, and what passes rows by has a lane to itself there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["Edge", "Row", "course", "lanes"]

ROW, HEAD = 36, 30


@dataclass(frozen=True)
class Row:
    """A line of the map.

    Attributes:
        type: `loss`, `head` (of an unfolded group), `box` (a folded one), `op`, `leaf` or `input`.
        operations: Of the graph, that it stands for.
    """

    type: str
    name: str
    kind: str = ""
    path: str = ""
    depth: int = 0
    operations: tuple[int, ...] = ()

    @property
    def height(self) -> int:
        return HEAD if self.type == "head" else ROW


@dataclass(frozen=True)
class Edge:
    """A connection from one row to another, by their places; its size is in decades."""

    sender: int
    receiver: int
    size: float | str | None
    skip: bool
    lane: int = 0

    @property
    def up(self) -> bool:
        """Back towards the loss: the module is used more than once."""
        return self.receiver < self.sender


def lanes(rows: Sequence[Row], edges: Sequence[Edge]) -> tuple[list[int | None], list[Edge], int]:
    """As a railway is drawn: the way on stays in its lane, what goes round takes the next free one.

    Returns:
        The lane of each row, the edges with theirs, and how many lanes there are.
    """
    down = [edge for edge in edges if not edge.up]
    aside = {edge: edge.skip or ends for edge, ends in zip(down, _to_parameters(rows, down), strict=True)}
    taken: list[Edge | None] = []
    places: list[int | None] = []
    chosen: dict[Edge, int] = {}
    for at, row in enumerate(rows):
        arriving = [edge for edge in down if edge.receiver == at]
        came = [chosen[edge] for edge in arriving if not edge.skip] or [chosen[edge] for edge in arriving]
        place = None if row.type in {"head", "input"} else min(came, default=_free(taken))
        places.append(place)
        for edge in arriving:
            taken[chosen[edge]] = None
        onward = sorted((edge for edge in down if edge.sender == at), key=lambda edge: (aside[edge], edge.receiver))
        for number, edge in enumerate(onward):
            stays = place is not None and number == 0 and (place >= len(taken) or taken[place] is None)
            chosen[edge] = place if stays and place is not None else _free(taken)
            taken += [None] * (chosen[edge] + 1 - len(taken))
            taken[chosen[edge]] = edge
    back = any(edge.up for edge in edges)
    count = max(1, len(taken))
    return places, [replace(edge, lane=chosen.get(edge, count)) for edge in edges], count + back


def _free(taken: Sequence[Edge | None]) -> int:
    return next((lane for lane, edge in enumerate(taken) if edge is None), len(taken))


def _to_parameters(rows: Sequence[Row], down: Sequence[Edge]) -> list[bool]:
    """For each edge, whether all that goes on from it ends in parameters: a side track, not the way on."""
    ends = [False] * len(rows)
    for place in reversed(range(len(rows))):
        onward = [edge.receiver for edge in down if edge.sender == place]
        side = rows[place].type == "op" and bool(onward) and all(ends[receiver] for receiver in onward)
        ends[place] = rows[place].type == "leaf" or side
    return [ends[edge.receiver] for edge in down]


def course(edge: Edge, spots: Sequence[tuple[float, float]], lane: float) -> str:
    """The path of a connection: out of its row, along its lane, into its row."""
    (x1, y1), (x2, y2) = spots[edge.sender], spots[edge.receiver]
    if edge.up:
        out, back = f"{lane + 14:g} {y1:g} {lane:g} {y1:g} {lane:g} {(y1 + y2) / 2:g}", f"{lane + 14:g} {y2:g}"
        return f"M{x1:g} {y1:g}C{out}S{back} {x2:g} {y2:g}"
    if lane == x1 == x2:
        return f"M{x1:g} {y1:g}V{y2:g}"
    bend = min(44.0, (y2 - y1) / 2)
    out, back = _into(x1, y1, lane, y1 + bend), _into(lane, y2 - bend, x2, y2)
    return f"M{x1:g} {y1:g}{out}V{y2 - bend:g}{back}"


def _into(xa: float, ya: float, xb: float, yb: float) -> str:
    middle = (ya + yb) / 2
    return f"V{yb:g}" if xa == xb else f"C{xa:g} {middle:g} {xb:g} {middle:g} {xb:g} {yb:g}"
