"""Writing a run while it trains, so that a kill at any instant leaves it readable."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.engine.graph import Topology
from undertow.errors import StoreError
from undertow.store.packing import pack_columns, pack_facts, pack_sizes, pack_topology
from undertow.store.records import Activation, Event, InputScale, OptimizerState, Parameter, Probed, Target
from undertow.store.updates import PAIR_COLUMNS, UPDATE_COLUMNS

__all__ = ["DATABASE", "FORMAT", "Writer", "facts_of"]

DATABASE = "run.db"
FORMAT = 6


class Writer:
    """The one writer of a run's database: SQLite in write-ahead mode, committed at each sampled step."""

    def __init__(self, folder: Path, facts: Mapping[str, Any] | None = None):
        self.folder = folder.absolute()  # the program may go elsewhere
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / DATABASE, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript("BEGIN;" + files(__package__).joinpath("schema.sql").read_text() + "COMMIT;")
            self.meta(format=FORMAT, **(facts or {}))
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"cannot keep a run in {folder}: {error}\n"
                "  Nothing of the training would be remembered.\n"
                "  Choose another folder with --store (or store=), one that can be written and holds no run yet."
            ) from error

    def meta(self, **facts: Any) -> None:
        rows = [(key, json.dumps(value)) for key, value in facts.items()]
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def begin(self) -> None:
        self._db.execute("BEGIN")

    def commit(self) -> None:
        self._db.execute("COMMIT")

    def abandon(self) -> None:
        """Undo what was not committed, if a fault came in between."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def sites(self, sources: Sequence[str]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO sites VALUES (?, ?)", [*enumerate(sources)])

    def losses(self, rows: Sequence[tuple[int, int, float, float]]) -> None:
        """Rows of step, site, value and seconds."""
        kept = [(step, site, _number(value), seconds) for step, site, value, seconds in rows]
        self._db.executemany("INSERT INTO losses VALUES (?, ?, ?, ?)", kept)

    def evaluations(self, rows: Sequence[tuple[int, str, float, int, float]]) -> None:
        """Rows of step, place, mean loss, examples and seconds."""
        kept = [(step, place, _number(value), examples, seconds) for step, place, value, examples, seconds in rows]
        self._db.executemany("INSERT INTO evaluations VALUES (?, ?, ?, ?, ?)", kept)

    def rates(self, rows: Sequence[tuple[int, int, int, float]]) -> None:
        """Rows of optimizer, group, step and rate."""
        kept = [(optimizer, part, step, _number(rate)) for optimizer, part, step, rate in rows]
        self._db.executemany("INSERT INTO rates VALUES (?, ?, ?, ?)", kept)

    def topology(self, number: int, topology: Topology) -> None:
        self._db.execute("INSERT OR REPLACE INTO topologies VALUES (?, ?)", (number, pack_topology(topology)))

    def observed(
        self,
        step: int,
        site: int,
        topology: int,
        loss: float,
        sizes: Mapping[int, float],
        keys: int,
        facts: Mapping[str, Any],
    ) -> None:
        row = (step, site, topology, _number(loss), pack_sizes(sizes, keys), pack_facts(facts))
        self._db.execute("INSERT INTO passes VALUES (?, ?, ?, ?, ?, ?)", row)

    def parameters(self, parameters: Sequence[Parameter]) -> None:
        rows = [(number, json.dumps(asdict(parameter))) for number, parameter in enumerate(parameters)]
        self._db.executemany("INSERT OR REPLACE INTO parameters VALUES (?, ?)", rows)

    def optimizers(self, optimizers: Sequence[OptimizerState]) -> None:
        rows = [(n, json.dumps(asdict(optimizer), default=str)) for n, optimizer in enumerate(optimizers)]
        self._db.executemany("INSERT OR REPLACE INTO optimizers VALUES (?, ?)", rows)

    def updates(self, step: int, columns: Mapping[str, Sequence[float] | NDArray[np.float64]]) -> None:
        """The columns of `Updates`, one entry a parameter."""
        packed = pack_columns([np.asarray(columns[name], dtype=np.float64) for name in UPDATE_COLUMNS])
        self._db.execute("INSERT OR REPLACE INTO updates VALUES (?, ?)", (step, packed))

    def pair(self, step: int, columns: Mapping[str, NDArray[np.float64]]) -> None:
        """The columns of `Pair`, one entry a parameter."""
        packed = pack_columns([columns[name] for name in PAIR_COLUMNS])
        self._db.execute("INSERT OR REPLACE INTO pairs VALUES (?, ?)", (step, packed))

    def event(self, event: Event) -> None:
        self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (event.step, event.kind, json.dumps(event.facts)))

    def close(self) -> None:
        self._db.close()


def facts_of(seeds: Sequence[float], scale: float, probed: Probed) -> dict[str, Any]:
    """All of a pass that is not a norm, as plain data."""
    head, target = probed.head, probed.target
    return {
        "seeds": [_number(seed) for seed in seeds],
        "scale": scale,
        "head": [list(head.operations), [[*item] for item in head.softmax_sizes.items()]],
        "target": None if target is None else _plain(target),
        "activations": [_plain(a) | {"flat": np.packbits(a.flat).tobytes().hex()} for a in probed.activations],
        "inputs": [_plain(scale) for scale in probed.inputs],
        "conditions": None if probed.conditions is None else asdict(probed.conditions),
    }


def _plain(record: Activation | InputScale | Target) -> dict[str, Any]:
    """By the names of its fields; these records hold nothing that would have to be copied."""
    facts = {name: getattr(record, name) for name in record.__slots__}
    return {name: _number(value) if isinstance(value, float) else value for name, value in facts.items()}


def _number(value: float) -> float | str:
    """JSON and SQLite have no infinities: they are kept as words, which `float` reads back."""
    return value if math.isfinite(value) else str(value)
