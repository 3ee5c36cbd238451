"""What other tools say of the same trainings: `python -m benchmarks.gallery_peers [PART [PATTERN]]`.

Each peer is put around the training as its documentation says, by hooks on optimizers and outermost modules in place
of lines in the loop, all in one training, none of which changes it; what it says is kept in gallery_peers.json.
`pip install torchmortem torch-audit traintools` first.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.gallery import share
from benchmarks.gallery_around import PEERS, Around

RESULTS = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).with_name("gallery.md")
MARK = "<!-- The peers' table is written by benchmarks/gallery_peers.py. -->"
END = "<!-- End of the peers' table. -->"
SECONDS = 45

MEANS = {
    "torchmortem": {
        "Vanishing gradients": "UT101 UT104",
        "Exploding gradients": "UT102",
        "Gradient stalling": "UT101 UT103",
        "Dead units": "UT201",
        "Activation saturation": "UT202",
        "Rank collapse": "UT203 UT205",
        "Update ratio too low": "UT302 UT308 UT310 UT311",
        "Update ratio too high": "UT301 UT312 UT407 UT604",
        "Training divergence": "UT301 UT312 UT604",
        "Loss plateau": "UT701",
        "Weight norm explosion": "UT301 UT312",
        "Stagnant weight norms": "UT302 UT304 UT305 UT306 UT307 UT308",
    },
    "torch-audit": {
        "TA100": "UT801",
        "TA102": "UT102",
        "TA103": "UT103 UT201",
        "TA104": "UT103 UT305",
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
        "appears vanished": "UT101 UT103 UT104 UT201",
        "is very large": "UT102 UT303",
        "ratio is high": "UT301 UT312 UT407 UT604",
        "ratio is tiny": "UT302",
        "no gradients": "UT103 UT305 UT307",
        "abs max": "UT501",
        "nearly constant": "UT502 UT504",
        "dominant class": "UT504 UT505 UT507",
        "plasticity": "UT201 UT202 UT203 UT205",
    },
}
"""Which of our codes a peer's finding counts as, where in doubt as every one it could mean."""


def looked_at(case: Any) -> Iterator[dict[str, Any]]:
    around, ended = Around(), None
    signal.alarm(SECONDS)
    try:
        with around.running(), contextlib.redirect_stdout(io.StringIO()):
            case.train()
    except TimeoutError:
        ended = "cut off"
    except Exception as broken:
        ended = f"{type(broken).__name__}: {broken}"[:120]
    signal.alarm(0)
    for name in PEERS:
        applied = any(name in peers for _, peers in around.made.values()) and name not in around.errors
        yield recorded(case, name, around.said(name) if applied else [], applied) | {
            "ended": ended,
            "error": around.errors.get(name),
        }


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


def rows(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}"
    for name in PEERS:
        mine = [r for r in records if r["peer"] == name]
        kept = [r for r in mine if r["applied"]]
        for level, count in (("severe", "severe"), ("any", "findings")):
            sick, well = [r for r in kept if r["planted"]], sorted(r[count] for r in kept if not r["planted"])
            if not well:
                continue
            hit = [r for r in sick if r[count]]
            first = sum(r["first"] for r in hit)
            named = sum(r["named_severe" if level == "severe" else "named"] for r in hit)
            cells = (
                f"{name}, {LEVELS[name][level]}",
                f"{len(kept)} of {len(mine)}",
                share(len(hit), len(sick)),
                share(first, len(sick)),
                share(named, len(sick)),
                share(sum(n > 0 for n in well), len(well)),
                well[len(well) // 2],
                well[-1],
            )
            yield f"| {' | '.join(map(str, cells))} |"


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


def main(part: str = "held", pattern: str = ".") -> None:
    from tests.gallery.table import load

    def late(*_: Any) -> None:
        raise TimeoutError

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, late)
    cases = [c for c in load().values() if c.split == part and re.search(pattern, c.name)]
    names = {c.name for c in cases}
    told = [r for r in json.loads(RESULTS.read_text()) if r["name"] not in names] if RESULTS.exists() else []
    for case in cases:
        told += looked_at(case)
        print(case.name, [(r["peer"], r["severe"], r["texts"][:2]) for r in told[-len(PEERS) :]], flush=True)
        RESULTS.write_text("[\n" + ",\n".join(map(json.dumps, told)) + "\n]\n")
    page = PAGE.read_text()
    before, after = page.partition(MARK)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{MARK}\n\n" + "\n".join(rows(told)) + f"\n\n{END}{after}")


if __name__ == "__main__":
    main(*sys.argv[1:])
