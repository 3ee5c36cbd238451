"""Results that were kept with a run: as plain data, and back as blocks of its report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from undertow.show.blocks import (
    Bar,
    Bars,
    Block,
    Decades,
    Facts,
    Figure,
    FlowMap,
    Listing,
    Source,
    Table,
    Text,
    Verdict,
)
from undertow.store.run import Run

__all__ = ["kept_blocks", "plain_blocks"]

KINDS: dict[str, type[Block]] = {
    kind.__name__: kind for kind in (Decades, Facts, Figure, FlowMap, Listing, Source, Table, Text, Verdict)
}


def plain_blocks(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """Blocks as JSON can hold them."""
    return [{"kind": type(block).__name__} | _plain(asdict(block)) for block in blocks]


def kept_blocks(run: Run) -> Iterator[Block]:
    """What was kept with a run."""
    for blocks in run.results.values():
        yield from map(_block, blocks)


def _block(facts: Mapping[str, Any]) -> Block:
    given = {key: value for key, value in facts.items() if key != "kind"}
    if "accounts" in given:
        given["accounts"] = [_bars(account) for account in given["accounts"]]
    return KINDS[facts["kind"]](**given)


def _bars(facts: Mapping[str, Any]) -> Bars:
    return Bars(**{**facts, "rows": tuple(Bar(**row) for row in facts["rows"])})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
