"""A stored run's forecast, in optimizer steps, hours and money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.outcome import main_losses
from undertow.errors import ForecastError
from undertow.forecast.forecast import FARTHEST, Forecast, Gain, Interval, forecast
from undertow.shown import Shown
from undertow.store import Run

__all__ = ["Outlook", "Reach", "outlook"]

RECENT = 200
"""A run is over for forecasting when none of its last losses, this many, is a number."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What it takes to come to a target, from the start of the run.

    Attributes:
        target: The loss to come down to.
        probability: That it is reached at all within ten times the time trained so far.
        steps: Optimizer steps; `inf` where this quantile of the possible curves does not get there.
        hours: Hours of training at the present pace.
        cost: Hours times the price of an hour.
    """

    target: float
    probability: float
    steps: Interval
    hours: Interval
    cost: Interval


@dataclass(frozen=True)
class Outlook(Shown):
    """Where a run is going, and what it takes.

    Attributes:
        forecast: Of the loss, counted in losses.
        steps: Optimizer steps made so far.
        losses_per_step: More than 1 where gradients are accumulated.
        seconds_per_loss: The pace over the later half of the run, pauses for evaluation and the like included.
        elapsed: Seconds from the start of the run to its last loss.
    """

    forecast: Forecast = field(repr=False)
    steps: int
    losses_per_step: float
    seconds_per_loss: float
    elapsed: float

    @property
    def seconds_per_step(self) -> float:
        """The present pace, in seconds an optimizer step."""
        return self.seconds_per_loss * self.losses_per_step

    @property
    def farthest(self) -> int:
        """The last optimizer step of which anything is said."""
        return int(FARTHEST * self.steps)

    def at(self, step: float, confidence: float = 0.9) -> Interval:
        """The loss about an optimizer step to come.

        Raises:
            ForecastError: It is past, or farther than anything can be said of.
        """
        self._refuse(step)
        return self.forecast.at(step * self.losses_per_step, confidence)

    def reach(self, target: float, price: float = 0.0, confidence: float = 0.9) -> Reach:
        """Steps, hours and cost until the loss comes down to `target`; `price` is that of an hour."""
        arrival = self.forecast.arrival(target, confidence)
        hours = _each(arrival.steps, self.hours)
        return Reach(
            target,
            arrival.probability,
            steps=_each(arrival.steps, lambda losses: losses / self.losses_per_step),
            hours=hours,
            cost=_each(hours, lambda hour: hour * price),
        )

    def hours(self, losses: float) -> float:
        """Hours from the start of the run until so many losses, at the present pace."""
        return (self.elapsed + (losses - self.forecast.history.count) * self.seconds_per_loss) / 3600

    def probability(self, target: float, hours: float) -> float:
        """The probability that the loss has come down to `target` within so many hours from the start of the run.

        Of a deadline farther away than ten times the steps made, it is the probability within these: a lower bound.

        Raises:
            ForecastError: That time is past, or the run has no pace.
        """
        if self.seconds_per_loss <= 0:
            raise ForecastError("this run has no pace: its losses carry no times\n  Ask in steps, with `forecast`.")
        count = self.forecast.history.count
        losses = count + (hours * 3600 - self.elapsed) / self.seconds_per_loss
        if losses <= count:
            raise ForecastError(
                f"{hours:g} hours from its start, this run was already as far as it is now\n"
                f"  It has taken {self.elapsed / 3600:.3g} hours so far; ask for a later time."
            )
        return self.forecast.probability(target, min(losses, FARTHEST * count))

    def gain(self, step: float, confidence: float = 0.9) -> Gain:
        """By how much the loss falls from now until an optimizer step: what stopping now would lose.

        Raises:
            ForecastError: It is past, or farther than anything can be said of.
        """
        self._refuse(step)
        return self.forecast.gain(step * self.losses_per_step, confidence)

    def _refuse(self, step: float) -> None:
        if not self.steps < step <= self.farthest:
            raise ForecastError(
                f"step {step:,.0f} cannot be forecast after {self.steps:,} steps\n"
                f"  A forecast reaches from now to step {self.farthest:,}, {FARTHEST:g} times as far."
            )


def outlook(run: Run) -> Outlook:
    """The outlook of a run, by the losses of the place that started most of its late backward passes.

    Raises:
        ForecastError: The run holds too few losses, or its last ones are no numbers.
    """
    losses = main_losses(run)
    if losses is None:
        raise ForecastError(
            f"{run.folder} holds no losses\n  Nothing was trained in it, so there is nothing to foretell."
        )
    if not np.isfinite(losses.values[-RECENT:]).any():
        raise ForecastError("the loss is no longer a number\n  `undertow report` says where that began.")
    steps = int(losses.steps[-1]) + 1
    return Outlook(
        forecast=forecast(losses.values),
        steps=steps,
        losses_per_step=len(losses.values) / steps,
        seconds_per_loss=_pace(losses.seconds),
        elapsed=float(losses.seconds[-1]),
    )


def _each(interval: Interval, change: Callable[[float], float]) -> Interval:
    return Interval(change(interval.low), change(interval.middle), change(interval.high))


def _pace(seconds: NDArray[np.float64]) -> float:
    late = seconds[len(seconds) // 2 :]
    return float((late[-1] - late[0]) / max(len(late) - 1, 1))
