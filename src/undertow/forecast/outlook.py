"""A stored run's forecast, in optimizer steps, hours and money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from undertow.diagnose.outcome import main_site
from undertow.errors import ForecastError
from undertow.forecast.forecast import FARTHEST, Forecast, Interval, forecast
from undertow.store import Run

__all__ = ["Outlook", "Reach", "outlook"]

RECENT = 200
"""Losses whose median distance in time is the pace."""


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
class Outlook:
    """Where a run is going, and what it takes.

    Attributes:
        forecast: Of the loss, counted in losses.
        steps: Optimizer steps made so far.
        losses_per_step: More than 1 where gradients are accumulated.
        seconds_per_loss: The present pace, the median of late ones.
        elapsed: Seconds from the start of the run to its last loss.
    """

    forecast: Forecast = field(repr=False)
    steps: int
    losses_per_step: float
    seconds_per_loss: float
    elapsed: float

    @property
    def farthest(self) -> int:
        """The last optimizer step of which anything is said."""
        return int(FARTHEST * self.steps)

    def at(self, step: float, confidence: float = 0.9) -> Interval:
        """The loss about an optimizer step to come."""
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

        Raises:
            ForecastError: That time is past, or farther than anything can be said of.
        """
        if self.seconds_per_loss <= 0:
            raise ForecastError("this run has no pace: its losses carry no times\n  Ask in steps, with `forecast`.")
        left = (hours * 3600 - self.elapsed) / self.seconds_per_loss
        return self.forecast.probability(target, self.forecast.history.count + left)

    def gain(self, step: float, confidence: float = 0.9) -> Interval:
        """By how much the loss falls from now until an optimizer step: what stopping now would lose."""
        return self.forecast.gain(step * self.losses_per_step, confidence)


def outlook(run: Run) -> Outlook:
    """The outlook of a run, by the losses of the place that started most of its late backward passes.

    Raises:
        ForecastError: The run holds too few losses.
    """
    site = main_site(run)
    if site is None:
        raise ForecastError(
            f"{run.folder} holds no losses\n  Nothing was trained in it, so there is nothing to foretell."
        )
    losses = run.losses[site]
    steps = int(losses.steps[-1]) + 1
    return Outlook(
        forecast=forecast(losses.values),
        steps=steps,
        losses_per_step=len(losses.values) / steps,
        seconds_per_loss=float(np.median(np.diff(losses.seconds[-RECENT:]))),
        elapsed=float(losses.seconds[-1]),
    )


def _each(interval: Interval, change: Callable[[float], float]) -> Interval:
    return Interval(change(interval.low), change(interval.middle), change(interval.high))
