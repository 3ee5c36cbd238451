"""Whether a planted fault hurts: python -m tests.gallery.hurts [pattern] trains each sick case and its cured twin.

A fault counts where its twin does better by five points of accuracy, or has an error that is at least a fifth lower.
"""

import inspect
import math
import re
import sys
import textwrap
import time
import warnings

import torch

from .table import load

POINTS, RATIO = 0.05, 1.25


def cured(case):
    """Return the training without its fault: the source with what `cured` says replaced."""
    source = textwrap.dedent(inspect.getsource(case.train))
    source = source[re.search(r"^def ", source, re.MULTILINE).start() :]
    for old, new in case.cured:
        if old not in source:
            raise ValueError(f"the cure of {case.name!r} replaces {old!r}, which is not there")
        source = source.replace(old, new)
    scope = dict(vars(sys.modules[case.train.__module__]))
    exec(compile(source, f"<{case.name}, cured>", "exec"), scope)
    return scope[case.name]


def hurts(sick, well):
    """Compare two trainings by the first figure they return: an accuracy, or an error."""
    name, after = next(iter(well.items()))
    before = sick.get(name, math.nan)
    if not math.isfinite(before):
        return math.isfinite(after)
    return after - before >= POINTS if name == "accuracy" else before >= RATIO * after


def outcome(train):
    started = time.perf_counter()
    try:
        metrics = train()
    except (RuntimeError, ValueError) as error:
        metrics = {"raised": str(error)[:60]}
    shown = " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in metrics.items())
    return metrics, f"{shown} ({time.perf_counter() - started:.1f}s)"


def main(pattern="."):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for case in load().values():
        if case.cured and re.search(pattern, f"{case.train.__module__} {case.name} {case.code}"):
            (before, sick), (after, well) = outcome(case.train), outcome(cured(case))
            verdict = "hurts   " if hurts(before, after) else "HARMLESS"
            print(f"{verdict} {case.code} {case.name:40} {sick} | cured {well}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
