"""What each way of standing still means, and what to do about it."""

from __future__ import annotations

from typing import Literal

__all__ = ["ADVICE", "MEANING", "Kind"]

Kind = Literal["falling", "noise-floor", "bouncing", "saddle", "plateau", "step-too-small", "valley", "minimum"]

MEANING: dict[Kind, str] = {
    "falling": "it has not stopped: the loss still falls by what is worth having",
    "noise-floor": "it stands on the noise floor: what a step gains, the noise in its gradient takes away",
    "bouncing": "it bounces: steps are too large for the curvature, and jump across the way down",
    "saddle": "it stands on a saddle: the gradient has run out, but the loss curves down along another direction",
    "plateau": "it stands on a plateau: the loss hardly depends on the weights here, and the way down begins elsewhere",
    "step-too-small": "steps are too small: the way down lies straight ahead, and is hardly walked",
    "valley": "it creeps along a valley: steps as large as its walls allow are too small along its floor",
    "minimum": "it stands at a minimum: nothing that was tried brings the loss down by what is worth having",
}

ADVICE: dict[Kind, str] = {
    "falling": "Train on, or forecast where it will arrive (undertow.forecast).",
    "noise-floor": "Lower the learning rate from here on (a schedule), enlarge the batch, or average the weights.",
    "bouncing": "Lower the learning rate; a larger batch will not help.",
    "saddle": "Take the step along the escape direction, add noise (a smaller batch), or break what makes units alike.",
    "plateau": "Look for what keeps the gradient from these weights (saturated or dead units, an initialisation that "
    "shrinks the signal), and begin them anew; waiting will not help.",
    "step-too-small": "Raise the learning rate by the factor that was seen to help, or mend the schedule.",
    "valley": "Use momentum, or an optimizer that scales its steps (Adam), or normalise inputs and layers.",
    "minimum": "This is what this network, on these data, with this loss, comes to. For less, change one of them: more "
    "capacity, other features, cleaner targets, less regularisation.",
}
