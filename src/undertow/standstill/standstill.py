"""Why a training stands still, and what shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from undertow.shown import Shown
from undertow.standstill.escape import Escape
from undertow.standstill.ground import Ground, Slope
from undertow.standstill.tried import Plan, Tried, above_zero, mean
from undertow.standstill.words import ADVICE, MEANING, Kind

__all__ = ["Standstill"]


@dataclass(frozen=True)
class Standstill(Shown):
    """Why a training stands still.

    Attributes:
        kind: `falling` (it has not stopped), `noise-floor`, `bouncing`, `saddle`, `plateau`, `step-too-small`, `valley`
            (steps are as large as the sharpest direction allows, and too small for others), or `minimum`.
        confirmed: Whether what would help was done and seen to help; of a minimum, whether negative curvature was
            looked for as well.
        loss: As it stands, over all batches.
        plan: Of the trials.
        slope: The gradient, its reach and its signal-to-noise ratio.
        ground: The curvature; `None` where it was not needed, or cannot be had.
        escape: The best step along the direction of negative curvature, if there is one and it was sought.
        unfelt: Matrices of weights on which the loss does not depend, where they were sought.
        trials: What was tried, the first being nothing changed.
    """

    kind: Kind
    confirmed: bool
    loss: float
    plan: Plan
    slope: Slope = field(repr=False)
    ground: Ground | None = field(repr=False)
    escape: Escape | None = field(repr=False)
    unfelt: Sequence[str]
    trials: Sequence[Tried] = field(repr=False)

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.kind]

    @property
    def in_doubt(self) -> bool:
        """Whether something may have helped, and not for sure, that would make it another kind."""
        going, *others = self.trials
        gains = [trial.gain(going) for trial in others]
        unsure = any(gain.value > self.plan.worth and not above_zero(gain) for gain in gains)
        return unsure and self.kind in ("minimum", "bouncing")

    @property
    def helped(self) -> Tried | None:
        """What brought the loss down most, if anything did by what is worth having."""
        going, *others = self.trials
        helping = [trial for trial in others if trial.helps(going, self.plan.worth)]
        return max(helping, key=lambda trial: trial.gain(going).value, default=None)

    def __str__(self) -> str:
        sure = "" if self.confirmed else " (not confirmed: nothing that was tried brought it onward)"
        lines = [f"{MEANING[self.kind]}{sure}", f"  {self.advice}", *(f"  {fact}" for fact in self._facts())]
        going, *others = self.trials
        lines.append(f"  {self.plan.steps} steps onward, the loss stands at {mean(going.ends):.4g} with {going.what};")
        lines += [f"    with {trial.what}, lower by {trial.gain(going)}" for trial in others]
        return "\n".join(lines)

    def _facts(self) -> list[str]:
        facts = [f"the loss is {self.loss:.4g}; a fall of {self.plan.worth:.2g} in {self.plan.steps} steps would count"]
        if self.slope.signal_to_noise is not None:
            facts.append(f"signal to noise of a step's gradient: {self.slope.signal_to_noise}")
        if self.ground is not None:
            low, high = self.ground.lowest, self.ground.sharpest
            facts.append(f"curvature from {low.value:.3g} ± {low.error:.1g} to {high.value:.3g} ± {high.error:.1g}")
            facts += [] if self.ground.edge is None else [str(self.ground.edge)]
        if self.escape is not None:
            facts.append(
                f"a step of {self.escape.length:.2g} along the lowest brings {self.escape.fall:.3g}, "
                f"straight downhill {self.escape.downhill:.3g}"
            )
        return facts + ([f"the loss does not depend on {', '.join(self.unfelt)}"] if self.unfelt else [])
