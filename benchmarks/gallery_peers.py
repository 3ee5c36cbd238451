"""What other tools say of the same trainings: `python -m benchmarks.gallery_peers [PART or NAME ...]`.

Each peer is put around each training named or in a part named as its documentation says, by hooks on optimizers and
outermost modules in place of lines in the loop, all in one training, none of which changes it; what it says is kept in
gallery_peers.json, of which, and of gallery.json, the tables are made. Several may run at once, on different parts.
`pip install torchmortem torch-audit traintools` first.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.gallery import TITLES, share
from benchmarks.gallery import records as published
from benchmarks.gallery_around import PEERS, Around

RESULTS = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).with_name("gallery.md")
MARK = "<!-- The peers' tables are written by benchmarks/gallery_peers.py. -->"
END = "<!-- End of the peers' tables. -->"
SECONDS = 45
"""Of processor time, which others on the machine do not take from a training."""

MEANS = {
    "torchmortem": {
        "Vanishing gradients": "UT101 UT104",
        "Exploding gradients": "UT102 UT303 UT407 UT508 UT604",
        "Gradient stalling": "UT101 UT103 UT104 UT201 UT202",
        "Dead units": "UT201",
        "Activation saturation": "UT202",
        "Rank collapse": "UT203 UT205 UT406",
        "Update ratio too low": "UT302 UT304 UT308 UT310 UT311",
        "Update ratio too high": "UT301 UT303 UT312 UT407 UT604 UT901",
        "Training divergence": "UT301 UT303 UT312 UT407 UT409 UT604 UT702",
        "Loss plateau": "UT701 UT704",
        "Weight norm explosion": "UT301 UT303 UT312 UT409",
        "Stagnant weight norms": "UT107 UT302 UT304 UT305 UT306 UT307 UT308",
        "High gradient noise": "UT707",
        "Inter-layer weight norm imbalance": "UT902",
    },
    "torch-audit": {
        "TA100": "UT801",
        "TA102": "UT102 UT301 UT303 UT407 UT508 UT604",
        "TA103": "UT103 UT104 UT201",
        "TA104": "UT103 UT305 UT307",
        "TA105": "UT201",
        "TA301": "UT501",
        "TA302": "UT502",
        "TA304": "UT602",
        "TA401": "UT309",
        "TA402": "UT309",
        "TA403": "UT309",
        "TA405": "UT201",
        "TA500": "UT103 UT304",
    },
    "traintools": {
        "non-finite": "UT801",
        "appears vanished": "UT101 UT103 UT104 UT201 UT307",
        "is very large": "UT102 UT303 UT407 UT508 UT604",
        "ratio is high": "UT301 UT303 UT312 UT407 UT604 UT901",
        "ratio is tiny": "UT302",
        "no gradients": "UT103 UT305 UT307",
        "abs max": "UT501 UT508",
        "nearly constant": "UT502 UT504",
        "dominant class": "UT504 UT505 UT507",
        "plasticity": "UT201 UT202 UT203 UT204 UT205",
    },
}
"""Which of our codes a peer's finding counts as, where in doubt as every one it could mean."""


def looked_at(case: Any) -> Iterator[dict[str, Any]]:
    """All peers around one training, or each around its own where one of them breaks it."""
    around, ended = watched(case, PEERS)
    broken = ended not in (None, "cut off")
    for name, peer in PEERS.items():
        if broken:
            around, ended = watched(case, {name: peer})
        applied = any(name in peers for _, peers in around.made.values()) and name not in around.errors
        yield recorded(case, name, around.said(name) if applied else [], applied) | {
            "ended": ended,
            "error": around.errors.get(name),
        }


def watched(case: Any, peers: dict[str, Any]) -> tuple[Around, str | None]:
    around, ended = Around(peers), None
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 1)  # again each second, for a peer may swallow what is raised in it
    try:
        with around.running(), contextlib.redirect_stdout(io.StringIO()):
            case.train()
    except TimeoutError:
        ended = "cut off"
    except Exception as broken:
        ended = f"{type(broken).__name__}: {broken}"[:120]
    signal.setitimer(signal.ITIMER_PROF, 0)
    return around, ended


def recorded(case: Any, name: str, found: Sequence[tuple[str, bool]], applied: bool) -> dict[str, Any]:
    meant = [
        {c for kind, codes in MEANS[name].items() if text.startswith(kind) for c in codes.split()} for text, _ in found
    ]
    severe = [codes for codes, (_, level) in zip(meant, found, strict=True) if level]
    return {
        "peer": name,
        "name": case.name,
        "split": case.split,
        "planted": case.code,
        "applied": applied,
        "severe": len(severe),
        "findings": len(found),
        "first": bool(meant) and case.code in meant[0],
        "named": any(case.code in codes for codes in meant),
        "named_severe": any(case.code in codes for codes in severe),
        "texts": [text for text, _ in found][:12],
    }


def tables() -> Iterator[str]:
    kept = told()
    for half, words in TITLES.items():
        runs = {(r["name"], r["planted"]): r for r in published(half)}
        theirs = [r for r in kept if (r["name"], r["planted"]) in runs]
        both = {(r["name"], r["planted"]) for r in theirs}
        if not both:
            continue
        yield f"### {words}, by other tools\n"
        if missing := len(runs) - len(both):
            yield f"Not all of it so far: {missing} of {len(runs)} trainings are missing, in all rows.\n"
        yield f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}"
        yield from (row(*of) for name in PEERS for of in levels(name, theirs))
        yield row("undertow, alarms", [ours(runs[key]) for key in sorted(both, key=str)], "findings", "named") + "\n"


def levels(name: str, records: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]], str, str]]:
    mine = [r for r in records if r["peer"] == name]
    yield f"{name}, {LEVELS[name]['severe']}", mine, "severe", "named_severe"
    yield f"{name}, {LEVELS[name]['any']}", mine, "findings", "named"


def ours(run: dict[str, Any]) -> dict[str, Any]:
    code = run["planted"]
    counts = {"findings": len(run["alarms"]), "first": run["named"] == code, "named": code in run["alarms"]}
    return {"planted": code, "applied": True, **counts}


def row(words: str, runs: Sequence[dict[str, Any]], count: str, named: str) -> str:
    kept = [r for r in runs if r["applied"]]
    sick, well = [r for r in kept if r["planted"]], sorted(r[count] for r in kept if not r["planted"])
    hit = [r for r in sick if r[count]]
    cells = (
        words,
        f"{len(kept)} of {len(runs)}",
        share(len(hit), len(sick)),
        share(sum(r["first"] for r in hit), len(sick)),
        share(sum(r[named] for r in hit), len(sick)),
        share(sum(n > 0 for n in well), len(well)),
        well[len(well) // 2] if well else "–",
        well[-1] if well else "–",
    )
    return f"| {' | '.join(map(str, cells))} |"


COLUMNS = (
    "tool, what counts",
    "applies to",
    "detected",
    "right cause first",
    "right cause anywhere",
    "false alarms",
    "findings on a healthy run, median",
    "most",
)
LEVELS = {
    "torchmortem": {"severe": "critical", "any": "critical or warning"},
    "torch-audit": {"severe": "error", "any": "error or warning"},
    "traintools": {"severe": "in half of its looks", "any": "in any look"},
}


def told() -> list[dict[str, Any]]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def keep(new: Sequence[dict[str, Any]]) -> None:
    """Put what is said of a training in the place of what was, beside what other processes write meanwhile."""
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        names = {r["name"] for r in new}
        kept = sorted([r for r in told() if r["name"] not in names] + [*new], key=lambda r: (r["split"], r["name"]))
        written = RESULTS.with_suffix(".new")
        written.write_text("[\n" + ",\n".join(map(json.dumps, kept)) + "\n]\n")
        os.replace(written, RESULTS)


def main(*asked: str) -> None:
    from tests.gallery.table import load

    def late(*_: Any) -> None:
        raise TimeoutError

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, late)
    for case in load().values() if asked else ():
        if case.split in asked or case.name in asked:
            keep(new := list(looked_at(case)))
            print(case.name, [(r["peer"], r["severe"], r["texts"][:2]) for r in new], flush=True)
    page = PAGE.read_text()
    before, after = page.partition(MARK)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{MARK}\n\n" + "\n".join(tables()) + f"\n{END}{after}")


if __name__ == "__main__":
    main(*sys.argv[1:])
