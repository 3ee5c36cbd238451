"""Arrays and facts as small blobs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.engine.graph import Edge, Operation, Topology

__all__ = [
    "pack_columns",
    "pack_facts",
    "pack_floats",
    "pack_sizes",
    "pack_topology",
    "unpack_columns",
    "unpack_facts",
    "unpack_floats",
    "unpack_sizes",
    "unpack_topology",
]


def pack_facts(facts: Any) -> bytes:
    return zlib.compress(json.dumps(facts, separators=(",", ":")).encode(), 1)


def unpack_facts(blob: bytes) -> Any:
    return json.loads(zlib.decompress(blob))


def pack_floats(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    """Kept as float32: seven digits."""
    with np.errstate(over="ignore", under="ignore"):
        return zlib.compress(np.asarray(values, dtype=np.float32).tobytes(), 1)


def unpack_floats(blob: bytes) -> NDArray[np.float64]:
    return np.frombuffer(zlib.decompress(blob), dtype=np.float32).astype(np.float64)


def pack_sizes(sizes: Mapping[int, float], count: int) -> bytes:
    """Norms by key, kept as logarithms, since a double's range is wider than float32's."""
    values = np.zeros(count)
    values[[*sizes]] = [*sizes.values()]
    with np.errstate(divide="ignore"):
        return pack_floats(np.log10(values))


def unpack_sizes(blob: bytes) -> dict[int, float]:
    logarithms = unpack_floats(blob)
    with np.errstate(over="ignore"):
        values = 10.0**logarithms
    return {key: float(value) for key, value in enumerate(values) if value != 0}


def pack_columns(columns: Sequence[NDArray[np.float64]]) -> bytes:
    """Columns of numbers from 0 up, of one length, kept as logarithms for the same reason."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return pack_floats(np.log10(np.stack(columns)).ravel())


def unpack_columns(blob: bytes, count: int) -> NDArray[np.float64]:
    """One row a column."""
    with np.errstate(over="ignore"):
        values: NDArray[np.float64] = (10.0 ** unpack_floats(blob)).reshape(count, -1)
    return values


def pack_topology(topology: Topology) -> bytes:
    return pack_facts(
        {
            "operations": [list(asdict(operation).values()) for operation in topology.operations],
            "edges": [[edge.sender, edge.position, edge.receiver, edge.slot] for edge in topology.edges],
            "roots": topology.roots,
        }
    )


def unpack_topology(blob: bytes) -> Topology:
    facts = unpack_facts(blob)
    return Topology(
        tuple(
            Operation(name, tuple(map(tuple, shapes)), tuple(dtypes), *names)
            for name, shapes, dtypes, *names in facts["operations"]
        ),
        tuple(Edge(*edge) for edge in facts["edges"]),
        tuple((index, slot) for index, slot in facts["roots"]),
    )
