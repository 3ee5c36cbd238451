"""Judge the gallery: python -m tests.gallery.judge [build|judge] [pattern] prints what each run was taken for, and the rates."""

import contextlib
import io
import re
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import torch
import undertow

from .table import load


def observed(case, folder, **options):
    """Train a case as `undertow run` would see it, and return its review."""
    with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with undertow.observe(store=folder, **options):
            case.train()
    return undertow.review(undertow.Run(folder))


def line(case, review, seconds):
    cause = review.cause
    found = "-" if cause is None else f"{cause.code} {cause.module or '·'} {cause.source}"
    right = "ok " if right_verdict(case, review) else "BAD"
    outcome = review.outcome
    course = f"{outcome.kind} {outcome.first:.3g}->{outcome.last:.3g} chance {outcome.chance:.3g}"
    others = ",".join(f.code for f in review.findings[1:])
    remarks = ",".join(r.code for r in review.remarks)
    symptoms = ",".join(s.code for s in cause.symptoms) if cause else ""
    return (
        f"{right} {case.code or 'healthy':8} {case.name:34} {review.verdict:9} {found:46} [{course}]"
        f" also({others}) sym({symptoms}) rem({remarks}) {seconds:.1f}s"
    )


def right_verdict(case, review):
    if case.code is None:
        return review.verdict != "sick"
    return review.cause is not None and review.cause.code == case.code


def main(split="build", pattern="."):
    torch.set_num_threads(1)
    counts = defaultdict(Counter)
    for case in load().values():
        if (split != "all" and case.split != split) or not re.search(pattern, f"{case.name} {case.code}"):
            continue
        folder = Path(tempfile.mkdtemp()) / "run"
        started = time.perf_counter()
        try:
            review = observed(case, folder)
        except Exception:
            traceback.print_exc()
            counts[case.code or "healthy"]["error"] += 1
            continue
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)
        print(line(case, review, time.perf_counter() - started), flush=True)
        tally(counts[case.code or "healthy"], case, review)
    table(counts)


def tally(count, case, review):
    count["runs"] += 1
    count["sick"] += review.verdict == "sick"
    count["right"] += right_verdict(case, review)
    if case.code and review.cause and case.module is not None:
        modules = (case.module,) if isinstance(case.module, str) else case.module
        count["placed"] += 1
        count["module"] += review.cause.module in modules
    if case.code and case.line and review.cause:
        count["lined"] += 1
        count["line"] += review.cause.source.endswith(f":{case.line}")


def table(counts):
    print("\n| code | runs | sick | right cause | module | line |\n| --- | --- | --- | --- | --- | --- |")
    for code in sorted(counts):
        c = counts[code]
        print(f"| {code} | {c['runs']} | {c['sick']} | {c['right']} | {c['module']}/{c['placed']} | {c['line']}/{c['lined']} |")
    sick = Counter()
    for code, count in counts.items():
        if code != "healthy":
            sick.update(count)
    if sick["runs"]:
        print(f"\ndetected {sick['sick'] / sick['runs']:.1%}, right cause {sick['right'] / sick['runs']:.1%} of {sick['runs']}")
    if counts["healthy"]["runs"]:
        print(f"false alarms {counts['healthy']['sick'] / counts['healthy']['runs']:.1%} of {counts['healthy']['runs']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
