"""Judge the gallery: python -m tests.gallery.judge [split] [pattern] prints what each run was taken for, and rates."""

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
from scipy.stats import binomtest

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
    print("\n| code | runs | called sick | right cause first | right module | right line |")
    print("| --- | --- | --- | --- | --- | --- |")
    total = Counter()
    for code in sorted(counts):
        count = counts[code]
        placed, lined = f"{count['module']}/{count['placed']}", f"{count['line']}/{count['lined']}"
        print(f"| {code} | {count['runs']} | {count['sick']} | {count['right']} | {placed} | {lined} |")
        if code != "healthy":
            total.update(count)
    healthy = counts.get("healthy", Counter())
    print(f"\nDetected: {rate(total['sick'], total['runs'])}")
    print(f"Right cause first: {rate(total['right'], total['runs'])}")
    print(f"Right module, where one is named: {rate(total['module'], total['placed'])}")
    print(f"Right line, where one is marked: {rate(total['line'], total['lined'])}")
    print(f"False alarms: {rate(healthy['sick'], healthy['runs'])}")


def rate(found, runs):
    """A share with its 95 % interval (Wilson)."""
    if not runs:
        return "no runs"
    low, high = binomtest(found, runs).proportion_ci(method="wilson")
    return f"{found} of {runs}, {found / runs:.1%} (95 %: {low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main(*sys.argv[1:])
