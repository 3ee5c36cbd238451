"""What a function in a file makes, and what a checkpoint holds."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from undertow.errors import LaunchError

__all__ = ["Point", "checkpoint", "made", "weights", "weights_of"]

Point = Mapping[str, Tensor]

WRAPPED = ("model", "model_state_dict", "state_dict")
"""Where a checkpoint of more than the weights has them, by custom."""


def made(problem: str, wanted: str) -> tuple[Any, ...]:
    """What a function in a file returns: a model first, and the rest of what is wanted.

    Raises:
        LaunchError: There is no such file or function, or it returns something else.
    """
    file, _, name = problem.rpartition(":")
    if not file or not Path(file).is_file():
        raise LaunchError(f"{problem} names no function in a file\n  Write FILE.py:FUNCTION, where FILE.py exists.")
    sys.path.insert(0, str(Path(file).resolve().parent))
    function = runpy.run_path(file, run_name=Path(file).stem).get(name)
    found = function() if callable(function) else None
    if not isinstance(found, tuple) or len(found) != wanted.count(",") + 1 or not isinstance(found[0], nn.Module):
        raise LaunchError(
            f"{problem} gives no ({wanted})\n"
            f"  Define `def {name}():` in {file} that returns these: the model built, the loss as\n"
            "  loss_fn(model(inputs), targets), and a batch as (inputs, targets) or a list of such."
        )
    return found


def checkpoint(file: Path) -> Mapping[str, Any]:
    """What a checkpoint holds.

    Raises:
        LaunchError: It cannot be read.
    """
    try:
        found: Mapping[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise LaunchError(f"{file} cannot be read as a checkpoint: {error}") from error
    return found


def weights(file: Path) -> Point:
    """The weights in a checkpoint, alone or under one of the customary names.

    Raises:
        LaunchError: It cannot be read, or holds none.
    """
    return weights_of(checkpoint(file), file)


def weights_of(found: Mapping[str, Any], file: Path) -> Point:
    """The weights in what a checkpoint holds.

    Raises:
        LaunchError: It holds none.
    """
    state: Point = next((found[name] for name in WRAPPED if isinstance(found.get(name), dict)), found)
    if not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise LaunchError(
            f"{file} holds no weights by name\n  Save model.state_dict(), alone or under 'model' or 'state_dict'."
        )
    return state
