"""Keeping faults of ours away from the training, and knowing what observing costs."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

__all__ = ["Guard"]


class Guard:
    """Calls our own functions from inside somebody else's training.

    The first one that raises ends observing: training goes on, and the fault is reported. Under test
    (`UNDERTOW_STRICT`, or pytest) it raises.

    Attributes:
        spent: Seconds that the calls took.
        broken: Whether a fault has ended observing.
    """

    def __init__(self, on_fault: Callable[[Exception], None]):
        self._on_fault = on_fault
        self._process = os.getpid()
        self.spent = 0.0
        self.broken = False

    def __call__(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call, out of sight of gradient recording and of the modes that the user may have set."""
        recording = torch.is_grad_enabled()
        with torch._C.DisableTorchFunction():
            # What torch.no_grad() comes to, which takes longer than all else here.
            torch._C._set_grad_enabled(False)
            try:
                return self.inside_pass(function, *args)
            finally:
                torch._C._set_grad_enabled(recording)

    def inside_pass(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call from where gradients are not recorded anyway. In a child process nothing is called."""
        if self.broken or os.getpid() != self._process:
            return None
        began = perf_counter()
        try:
            if torch._C._len_torch_dispatch_stack():
                with _disable_current_modes():
                    return function(*args)
            return function(*args)
        except Exception as fault:
            self.fail(fault)
            return None
        finally:
            self.spent += perf_counter() - began

    def fail(self, fault: Exception) -> None:
        """End observing, because of a fault that is being handled."""
        self.broken = True
        self._on_fault(fault)
        if _strict():
            raise fault


def _strict() -> bool:
    asked = os.environ.get("UNDERTOW_STRICT", "")
    return asked == "1" or (asked != "0" and "PYTEST_CURRENT_TEST" in os.environ)
