"""How often the verdict is right, over every training of the gallery: `python -m benchmarks.gallery [PART ...]`.

Runs each, or each of the parts named, as `undertow run` would see it, at the default budget, and keeps what came out in
gallery.json. The tables of
gallery.md are made of that, and by `make docs` the end of each page of docs/diagnoses.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

RESULTS = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).with_suffix(".md")
MARK = "<!-- What follows is written by benchmarks/gallery.py. -->"
HALVES = {
    "late": ("late",),
    "wild": ("wild",),
    "blind": ("blind",),
    "fresh": ("fresh",),
    "held": ("held",),
    "judge": ("judge", "unseen"),
    "build": ("build",),
}
"""Parts: five by people who had not read the rules, what rules are judged by, and what they were built on."""

TITLES = {
    "late": "The fifth part that was written without the rules",
    "wild": "The fourth part that was written without the rules",
    "blind": "The third part that was written without the rules",
    "fresh": "The second part that was written without the rules",
    "held": "The first part that was written without the rules",
    "judge": "The half to judge by",
    "build": "The half the rules were built on",
}

COLUMNS = (
    "family",
    "sick runs",
    "detected",
    "right cause first",
    "named, if only as a remark",
    "right module",
    "right line",
)

Record = dict[str, Any]


def records(half: str) -> list[Record]:
    """What came out of each training of a half, as published."""
    return [r for r in json.loads(RESULTS.read_text()) if r["split"] in HALVES[half]]


def share(found: int, runs: int) -> str:
    """A share with its 95 % interval (Wilson)."""
    if not runs:
        return "–"
    low, high = binomtest(found, runs).proportion_ci(method="wilson")
    return f"{found} of {runs} ({100 * low:.0f} to {100 * high:.0f} %)"


def measure(parts: Sequence[str]) -> Iterator[Record]:
    from tests.gallery.judge import line, observed
    from tests.gallery.table import load

    for case in load().values():
        if parts and case.split not in parts:
            continue
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            review = observed(case, Path(folder) / "run")
            seconds = time.perf_counter() - started
        print(line(case, review, seconds), flush=True)
        cause = review.cause
        modules = (case.module,) if isinstance(case.module, str) else case.module
        yield {
            "name": case.name,
            "split": case.split,
            "planted": case.code,
            "verdict": review.verdict,
            "named": cause.code if cause else None,
            "alarms": [f.code for f in review.findings],
            "remarks": sorted({f.code for f in review.remarks}),
            "loss": review.outcome.kind,
            "remark": case.remark,
            "module": cause.module in modules if cause and modules is not None else None,
            "line": cause.source.endswith(f":{case.line}") if cause and case.line else None,
            "seconds": round(seconds, 1),
        }


def measured(code: str) -> str:
    """How often a diagnosis was right, as the end of its page."""
    lines = []
    for half, words in (("judge", "the half it is judged by"), ("build", "the half it was built on")):
        kept = records(half)
        runs, well = [r for r in kept if r["planted"] == code], [r for r in kept if r["planted"] is None]
        detected, first = sum(r["verdict"] == "sick" for r in runs), sum(r["named"] == code for r in runs)
        accused = sum(code in r["alarms"] for r in well)
        told = (
            f"in runs with this fault, a fault was found in {share(detected, len(runs))} "
            f"and this one was named first in {share(first, len(runs))}"
            if runs
            else "no run has this fault"
        )
        lines.append(f"- On {words}: {told}; of its healthy runs, {share(accused, len(well))} were accused of it.")
        lines += _remarked(code, [r for r in well if "remarks" in r])
    return "\n".join(lines)


def _remarked(code: str, well: Sequence[Record]) -> Iterator[str]:
    """The same of a fault that runs survive, where there are runs that show it."""
    shown, other = [r for r in well if r.get("remark") == code], [r for r in well if r.get("remark") != code]
    if shown:
        told, said = (sum(code in r["remarks"] for r in runs) for runs in (shown, other))
        yield (
            f"  As a remark: it was told in {share(told, len(shown))} of the healthy runs made to show it, and in "
            f"{share(said, len(other))} of the others, some of which show it as well."
        )


def _row(name: str, runs: Sequence[Record]) -> str:
    detected, first = sum(r["verdict"] == "sick" for r in runs), sum(r["named"] == r["planted"] for r in runs)
    told = sum(r["planted"] in (*r["alarms"], *r["remarks"]) for r in runs)
    placed = [r["module"] for r in runs if r["module"] is not None]
    lined = [r["line"] for r in runs if r["line"] is not None]
    counts = ((detected, len(runs)), (first, len(runs)), (told, len(runs)), (sum(placed), len(placed)))
    cells = (len(runs), *(share(*count) for count in counts))
    return f"| {name} | {' | '.join(map(str, cells))} | {share(sum(lined), len(lined))} |"


def tables() -> Iterator[str]:
    from undertow.diagnose import review  # noqa: F401  (it fills the table)
    from undertow.diagnose.table import DIAGNOSES, FAMILIES

    for half, words in TITLES.items():
        kept = records(half)
        sick, well = [r for r in kept if r["planted"]], [r for r in kept if not r["planted"]]
        alarms = [r for r in well if r["verdict"] == "sick"]
        yield f"## {words}\n"
        yield f"| {' | '.join(COLUMNS)} |"
        yield f"|{' --- |' * len(COLUMNS)}"
        for prefix, family in FAMILIES.items():
            runs = [r for r in sick if r["planted"].startswith(prefix)]
            if runs:
                yield _row(family, runs)
        yield _row("all", sick)
        yield _row("whose loss falls all the same", [r for r in sick if r["loss"] == "learned"])
        yield _row("whose loss does not", [r for r in sick if r["loss"] != "learned"])
        remarked = sum(bool(r["remarks"]) for r in well)
        yield f"\nFalse alarms: {share(len(alarms), len(well))}{_by_family(alarms, DIAGNOSES)}."
        yield f"Healthy runs with a remark: {share(remarked, len(well))}.\n"
        yield from _missed(sick, alarms)


def _by_family(alarms: Iterable[Record], diagnoses: Any) -> str:
    named = sorted({diagnoses[r["named"]].family for r in alarms})
    return f", by the families {', '.join(named)}" if named else ""


def _missed(sick: Iterable[Record], alarms: Iterable[Record]) -> Iterator[str]:
    wrong = [
        f"`{r['name']}` ({r['planted']}: {r['named'] or r['verdict']})" for r in sick if r["named"] != r["planted"]
    ]
    yield f"Missed, or another cause named first: {', '.join(wrong) or 'none'}."
    false = [f"`{r['name']}` ({r['named']})" for r in alarms]
    yield f"Healthy runs accused: {', '.join(false) or 'none'}.\n"


def main(*parts: str) -> None:
    import torch

    torch.set_num_threads(1)
    others = [r for r in json.loads(RESULTS.read_text()) if parts and r["split"] not in parts]
    RESULTS.write_text("[\n" + ",\n".join(map(json.dumps, [*others, *measure(parts)])) + "\n]\n")
    head = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(f"{head}{MARK}\n\n" + "\n".join(tables()).rstrip() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
