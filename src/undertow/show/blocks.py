"""What a report is made of: a sequence of blocks, each a fact to show and no word on how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Bar",
    "Bars",
    "Block",
    "Decades",
    "Facts",
    "Figure",
    "FlowMap",
    "Listing",
    "Source",
    "Table",
    "Text",
    "Verdict",
]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a report. Subclasses are final.

    Attributes:
        title: Its heading; empty for none.
        note: What it shows and what its terms mean, in a line or two.
    """

    title: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Verdict(Block):
    """The judgement on the run: `title` is the verdict in words, `note` the cause in a sentence.

    Attributes:
        verdict: `sick`, `healthy`, `undecided` or `not-applicable`.
        code, name: Of the cause; empty where there is none.
        where: Module, operation and source line of the cause, as far as each is known.
    """

    verdict: str = ""
    code: str = ""
    name: str = ""
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Text(Block):
    """Paragraphs."""

    paragraphs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source(Block):
    """Python, to be read."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Facts(Block):
    """Names and values."""

    rows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing(Block):
    """Things of the same kind, each with a short label and a sentence.

    Attributes:
        brief: How many of them a screen shows; a page shows all.
    """

    items: tuple[tuple[str, str], ...] = ()
    brief: int = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of an account: how many decades something brought."""

    label: str
    decades: float


@dataclass(frozen=True, slots=True)
class Bars:
    """One way to split the account: by operation, by module or by line.

    Attributes:
        by: What it is split by.
        rows: The parts that matter most, the greatest loss first.
        others: How many parts are not among them.
        rest: What these brought together.
    """

    by: str
    rows: tuple[Bar, ...]
    others: int = 0
    rest: float = 0.0


@dataclass(frozen=True, slots=True)
class Decades(Block):
    """Where the gradient of one parameter gained and lost its size.

    Attributes:
        target: The parameter.
        total: Decades between the loss and it; every account sums to this.
        accounts: The splits.
    """

    target: str = ""
    total: float = 0.0
    accounts: tuple[Bars, ...] = ()


@dataclass(frozen=True, slots=True)
class Table(Block):
    """Rows under column heads; `numbers` are the columns to set flush right."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Figure(Block):
    """A Plotly figure as plain data. Colours that start with `@` are names that the page's theme fills in.

    Attributes:
        data: Its traces.
        layout: What is particular to it; the theme adds the rest.
        height: In pixels.
    """

    data: Sequence[Mapping[str, Any]] = ()
    layout: Mapping[str, Any] = field(default_factory=dict)
    height: int = 320


@dataclass(frozen=True, slots=True)
class FlowMap(Block):
    """The network from the loss down to the input, with what came along each connection.

    Attributes:
        graphs: For each graph that was seen: its tree of modules, its operations, its edges.
        moments: For each pass shown: which graph, and the sizes on it, in decades.
    """

    graphs: Sequence[Mapping[str, Any]] = ()
    moments: Sequence[Mapping[str, Any]] = ()
