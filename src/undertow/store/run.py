"""A run as it is read back."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from undertow.engine.flow import Flow
from undertow.engine.plan import Plan
from undertow.errors import StoreError
from undertow.shown import Shown
from undertow.store.conditions import Attention, Batch, BatchNorm, Conditions, Dropout, LookedUp, SoftTargets, TinyNorm
from undertow.store.kept import Kept, kept
from undertow.store.packing import unpack_columns, unpack_facts, unpack_sizes, unpack_topology
from undertow.store.records import (
    Activation,
    Evaluations,
    Event,
    InputScale,
    Losses,
    LossHead,
    OptimizerState,
    Parameter,
    Pass,
    Rate,
    Site,
    Target,
)
from undertow.store.updates import PAIR_COLUMNS, UPDATE_COLUMNS, Pair, Updates
from undertow.store.writer import DATABASE, FORMAT

__all__ = ["Run", "list_runs", "run_folders"]


class Run(Shown):
    """A stored run, finished, broken off or still going. Reading it never changes it.

    Args:
        folder: The run's folder, such as `undertow-runs/train-20260102-030405`.

    Raises:
        StoreError: The folder holds no run, or a damaged one.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if not (self.folder / DATABASE).is_file():
            raise StoreError(
                f"{self.folder} is not the folder of a run: it holds no {DATABASE}\n"
                "  `undertow runs` lists the runs there are; `undertow run train.py` makes one."
            )
        self.meta: dict[str, Any] = {key: json.loads(value) for key, value in self._rows("SELECT key, value FROM meta")}
        if self.meta.get("format") != FORMAT:
            raise StoreError(
                f"{self.folder} was written in format {self.meta.get('format')}, and this version reads {FORMAT}\n"
                "  Read it with the version of Undertow that wrote it, or run the training again."
            )

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> str:
        """How it ended: `finished`, `interrupted`, `exception` or `killed`; `running` if it has not."""
        state = str(self.meta.get("state", "killed"))
        return "killed" if state == "running" and not self._alive() else state

    def _alive(self) -> bool:
        if self.meta.get("host") != socket.gethostname():
            return True
        try:
            os.kill(self.meta["pid"], 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    @property
    def steps(self) -> int:
        """Optimizer steps made."""
        last = next(self._rows("SELECT max(step) FROM losses"))[0]
        return int(self.meta.get("steps", 0 if last is None else last + 1))

    @cached_property
    def sites(self) -> list[Site]:
        """The places that started backward passes."""
        return [Site(source) for (source,) in self._rows("SELECT source FROM sites ORDER BY id")]

    @cached_property
    def losses(self) -> dict[int, Losses]:
        """The loss over the run, by site."""
        found: dict[int, list[tuple[int, float, float]]] = {}
        for step, site, value, seconds in self._rows("SELECT step, site, value, seconds FROM losses ORDER BY rowid"):
            found.setdefault(site, []).append((step, float("nan") if value is None else float(value), seconds))
        return {site: _losses(rows) for site, rows in sorted(found.items())}

    @cached_property
    def evaluations(self) -> dict[str, Evaluations]:
        """The losses that were computed without a gradient, by the lines that did, the innermost first, or by name."""
        found: dict[str, list[tuple[int, float, int, float]]] = {}
        for step, place, value, examples, seconds in self._rows("SELECT * FROM evaluations ORDER BY rowid"):
            found.setdefault(place, []).append(
                (step, float("nan") if value is None else float(value), examples, seconds)
            )
        return {place: Evaluations(*map(np.array, zip(*rows, strict=True))) for place, rows in found.items()}

    @cached_property
    def rates(self) -> list[Rate]:
        """The learning rate over the run, of each group of each optimizer."""
        found: dict[tuple[int, int], list[tuple[int, float]]] = {}
        for optimizer, part, step, value in self._rows("SELECT * FROM rates ORDER BY rowid"):
            found.setdefault((optimizer, part), []).append((step, float(value)))
        return [
            Rate(*group, np.array([step for step, _ in rows], np.int64), np.array([rate for _, rate in rows]))
            for group, rows in sorted(found.items())
        ]

    @cached_property
    def passes(self) -> list[Pass]:
        """The backward passes that were observed in full, in order."""
        plans = {
            number: Plan(unpack_topology(facts)) for number, facts in self._rows("SELECT id, facts FROM topologies")
        }
        query = "SELECT step, site, topology, loss, norms, facts FROM passes ORDER BY rowid"
        return [_pass(plans, row) for row in self._rows(query)]

    @cached_property
    def parameters(self) -> list[Parameter]:
        """Every parameter that was met, in the order of the columns of `updates`."""
        rows = self._rows("SELECT facts FROM parameters ORDER BY id")
        return [Parameter(**(facts := json.loads(text)) | {"shape": tuple(facts["shape"])}) for (text,) in rows]

    @cached_property
    def optimizers(self) -> list[OptimizerState]:
        return [
            OptimizerState(**json.loads(text)) for (text,) in self._rows("SELECT facts FROM optimizers ORDER BY id")
        ]

    @cached_property
    def updates(self) -> list[Updates]:
        """What the sampled optimizer steps did. Early ones are padded: parameters met later are `nan` in them."""
        return [Updates(step, *columns) for step, columns in self._columns("updates", len(UPDATE_COLUMNS))]

    @cached_property
    def pairs(self) -> list[Pair]:
        """Gradients of two steps that follow each other, in order; no gradient is in two of them."""
        return [Pair(step, *columns) for step, columns in self._columns("pairs", len(PAIR_COLUMNS))]

    @cached_property
    def results(self) -> Kept:
        """What was kept with it later, by name: why it stands still, its spectrum, …; see `keep` of such a result."""
        return kept(self.folder)

    @cached_property
    def events(self) -> list[Event]:
        rows = self._rows("SELECT step, kind, facts FROM events ORDER BY rowid")
        return [Event(step, kind, json.loads(facts)) for step, kind, facts in rows]

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {self.steps} steps, {self.state})"

    def _columns(self, table: str, count: int) -> Iterator[tuple[int, list[Any]]]:
        for step, blob in self._rows(f"SELECT step, facts FROM {table} ORDER BY step"):
            yield step, [self._padded(column) for column in unpack_columns(blob, count)]

    def _padded(self, values: Any) -> Any:
        return np.concatenate([values, np.full(len(self.parameters) - len(values), np.nan)])

    def _rows(self, query: str) -> Iterator[Any]:
        try:
            with _Opened(self.folder / DATABASE) as db:
                yield from db.execute(query).fetchall()
        except sqlite3.Error as error:
            raise StoreError(
                f"the run in {self.folder} cannot be read: {error}\n"
                f"  Its {DATABASE} is damaged or is not one of Undertow's. What can be saved of it, "
                f"`sqlite3 {DATABASE} .recover` saves."
            ) from error


class _Opened:
    """A connection that reads, and is closed whatever happens."""

    def __init__(self, path: Path):
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        self._db = sqlite3.connect(self._path)
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()


def _pass(plans: dict[int, Plan], row: tuple[Any, ...]) -> Pass:
    step, site, topology, loss, norms, blob = row
    facts = unpack_facts(blob)
    seeds = [float(seed) for seed in facts["seeds"]]
    operations, sizes = facts["head"]
    return Pass(
        step=step,
        site=site,
        loss=float("nan") if loss is None else float(loss),
        flow=Flow(plans[topology], unpack_sizes(norms), seeds, scale=facts["scale"]),
        head=LossHead(tuple(operations), dict(sizes)),
        target=None if facts["target"] is None else Target(**_numbers(facts["target"], *TARGET_NUMBERS)),
        activations=[_activation(a) for a in facts["activations"]],
        inputs=[
            InputScale(**_numbers(i, "mean", "rms", "low", "high", "spread_low", "spread_high"))
            for i in facts["inputs"]
        ],
        conditions=_conditions(facts["conditions"]) if facts["conditions"] else None,
    )


TARGET_NUMBERS = (
    "times",
    "offset",
    "smoothed",
    "alone",
    "mean",
    "variance",
    "normalised",
    "low",
    "high",
    "varied",
    "past_unit",
    "past_tanh",
    "past_zero",
    "least",
    "most",
    "past_ends",
)


def _conditions(facts: dict[str, Any]) -> Conditions:
    return Conditions(
        norms=[BatchNorm(**norm) for norm in facts["norms"]],
        dropouts=[Dropout(**dropout) for dropout in facts["dropouts"]],
        attentions=[Attention(**attention) for attention in facts["attentions"]],
        alike=tuple(facts["alike"]),
        resting=facts["resting"],
        batch=Batch(**facts["batch"]) if facts["batch"] else None,
        tiny=[TinyNorm(**norm) for norm in facts.get("tiny", ())],
        looked_up=[LookedUp(**numbers) for numbers in facts.get("looked_up", ())],
        scaled=tuple(facts.get("scaled", ())),
        soft=[SoftTargets(**targets) for targets in facts.get("soft", ())],
    )


def _losses(rows: list[tuple[int, float, float]]) -> Losses:
    steps, values, seconds = zip(*rows, strict=True)
    return Losses(np.array(steps, np.int64), np.array(values, np.float64), np.array(seconds, np.float64))


def _activation(facts: dict[str, Any]) -> Activation:
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(facts["flat"]), np.uint8), count=facts["units"])
    return Activation(**_numbers(facts, "flat_share", "rms", "varied", "dormant") | {"flat": bits.astype(bool)})


def _numbers(facts: dict[str, Any], *names: str) -> dict[str, Any]:
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
    return plain | {name: float(plain[name]) for name in names if name in plain}


def run_folders(below: str | Path) -> list[Path]:
    """The folders below another that hold a run, the latest last."""
    found = sorted(Path(below).glob(f"*/{DATABASE}"), key=lambda path: path.stat().st_mtime)
    return [path.parent for path in found]


def list_runs(below: str | Path) -> list[Run]:
    """The runs kept below a folder, the latest last; folders that hold none are passed over."""
    return [Run(folder) for folder in run_folders(below)]
