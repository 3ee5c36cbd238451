"""Run the gallery and print one line for each case: python -m tests.gallery.check [pattern]."""

import contextlib
import io
import re
import sys
import time
import traceback
import warnings
from unittest.mock import patch

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from .table import load

BACKWARD = torch.Tensor.backward


def check(case):
    """Train one case and return its line."""
    losses, steps, printed = [], [], io.StringIO()

    def backward(loss, *args, **kwargs):
        losses.append(loss.detach().mean().item())
        return BACKWARD(loss, *args, **kwargs)

    started = time.perf_counter()
    hook = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    try:
        with patch.object(torch.Tensor, "backward", backward), contextlib.redirect_stdout(printed):
            metrics = case.train()
    finally:
        hook.remove()
    seconds = time.perf_counter() - started
    return line(case, seconds, len(steps), losses, metrics) + ("  PRINTS" if printed.getvalue() else "")


def line(case, seconds, steps, losses, metrics):
    course = f"{losses[0]:.3g} -> {losses[-1]:.3g}" if losses else "no backward"
    shown = " ".join(f"{name}={value:.4g}" for name, value in metrics.items())
    slow = "  SLOW" if seconds > 3 else ""
    return f"{case.name:34} {case.code or 'healthy':8} {case.split} {seconds:5.2f}s {steps:4} {course:22} {shown}{slow}"


def main(pattern="."):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for case in load().values():
        if re.search(pattern, f"{case.train.__module__} {case.name} {case.code or 'healthy'}"):
            try:
                print(check(case), flush=True)
            except Exception:
                print(f"{case.name:34} FAILS\n{traceback.format_exc(limit=-2)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
