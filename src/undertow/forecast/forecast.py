"""A loss curve extrapolated, with an interval that has been held against what came."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.errors import ForecastError
from undertow.forecast.families import FAMILIES, Curve
from undertow.forecast.history import FEWEST, History
from undertow.shown import Shown

__all__ = ["FARTHEST", "Arrival", "Forecast", "Gain", "Interval", "forecast"]

Floats = NDArray[np.float64]

ORIGINS = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Parts of the curve from which the rest was forecast, to see how far forecasts of this curve go wrong."""

USUAL_DRIFT = 0.5
"""How far forecasts go wrong per e-fold of time, in proportion to the loss: over the gallery's `build` half."""

PRIOR = 0.25
"""How many of a curve's own backtests that counts for."""

UNLIKE = 0.02
"""How far from any curve of a family a loss may run, in proportion, whatever its noise."""

LEAST = 1e-12
"""What a foretold loss is kept above where losses are positive."""

LATE = 3
"""Points of the curve that say where it stands."""

DRAWS = 101
"""Quantiles of the error that are followed along each curve."""

FARTHEST = 10.0
"""Nothing is said of a time more than this many times the time already trained."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Three quantiles of a quantity to come: the middle one is the median."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a target is reached, in losses counted from the start of the run.

    Attributes:
        probability: That it is reached at all within ten times the time trained so far.
        steps: When; `inf` where this quantile of the possible curves does not reach it in that time.
    """

    probability: float
    steps: Interval


@dataclass(frozen=True, slots=True)
class Gain:
    """What going on brings.

    Attributes:
        fall: By how much the loss falls, in units of the loss; below 0 where it rises.
        probability: That it falls at all.
    """

    fall: Interval
    probability: float


@dataclass(frozen=True)
class Forecast(Shown):
    """The futures of a loss curve, each with a weight.

    A future is a fitted curve, carried off by an error that grows with the logarithm of time. What is
    forecast is the mean loss about a step, as a smoothed curve would show it, not the loss of one batch.

    Attributes:
        history: The curve so far.
        curves: Fitted curves.
        weights: How much each counts, by how well its like foretold this curve from earlier parts of it.
        drift: How far forecasts go wrong per e-fold of time; in proportion to the loss where that is positive.
    """

    history: History
    curves: tuple[Curve, ...] = field(repr=False)
    weights: Floats
    drift: float

    def at(self, step: float, confidence: float = 0.9) -> Interval:
        """The loss about a step to come, with an interval that holds it with probability `confidence`.

        Args:
            step: Losses counted from the start of the run; later than now, and at most ten times as late.
            confidence: Between 0 and 1.

        Raises:
            ForecastError: The step is past, or farther than anything can be said of.
        """
        self._refuse(step)
        values, weights = self._futures(np.array([step]))
        return Interval(*_quantiles(values[:, 0], weights, _sides(confidence)))

    def probability(self, target: float, by: float) -> float:
        """The probability that the loss has come down to `target` at some time before the step `by`."""
        self._refuse(by)
        reached, weights = self._reached(target, by)
        return float(weights[np.isfinite(reached)].sum())

    def arrival(self, target: float, confidence: float = 0.9) -> Arrival:
        """When the loss comes down to `target`, with an interval for it."""
        reached, weights = self._reached(target, FARTHEST * self.history.count)
        steps = Interval(*_quantiles(reached, weights, _sides(confidence)))
        return Arrival(float(weights[np.isfinite(reached)].sum()), steps)

    def gain(self, until: float, confidence: float = 0.9) -> Gain:
        """By how much the loss falls from now until a step: what stopping now would lose."""
        self._refuse(until)
        values, weights = self._futures(np.array([until]))
        falls = self.history.level[-1] - values[:, 0]
        return Gain(Interval(*_quantiles(falls, weights, _sides(confidence))), float(weights[falls > 0].sum()))

    def _refuse(self, step: float) -> None:
        if not self.history.count < step <= FARTHEST * self.history.count:
            raise ForecastError(
                f"step {step:g} cannot be forecast after {self.history.count} losses\n"
                f"  A forecast reaches from now to {FARTHEST:g} times as far, where its interval is as wide as it says."
            )

    def _reached(self, target: float, by: float) -> tuple[Floats, Floats]:
        """For each future, the first step at which it is at the target; `inf` if it never is."""
        steps = np.geomspace(self.history.count, by, 200)
        values, weights = self._futures(steps)
        below = values <= target
        first = np.where(below.any(1), steps[below.argmax(1)], np.inf)
        return first, weights

    def _futures(self, steps: Floats) -> tuple[Floats, Floats]:
        """The loss of each future at each step, and the weight of each future."""
        time = steps / self.history.count
        shock = _student((np.arange(DRAWS) + 0.5) / DRAWS)[:, None] * self._spread(time)
        positive = self.history.positive
        size = _size(self.history)
        values = [_off(curve(time), shock, size, positive) for curve in self.curves]
        return np.concatenate(values), np.repeat(self.weights / DRAWS, DRAWS)

    def _spread(self, time: Floats) -> Floats:
        return np.hypot(_relative_error(self.history), self.drift * np.log(np.maximum(time, 1.0)))


def forecast(losses: ArrayLike | History) -> Forecast:
    """Extrapolate a loss curve.

    Families of curves are fitted to it robustly. From five earlier parts of the curve the rest of it is foretold
    in the same way: that weighs the families, and says how far forecasts of this curve go wrong.

    Args:
        losses: One loss per step, in order. Values that are not finite are left out.

    Raises:
        ForecastError: There are fewer than 20 finite losses.

    Source:
        Rolling-origin evaluation: Tashman 2000, Int. J. Forecasting 16, 437-450. Learning curves as mixtures of
        families: Domhan, Springenberg & Hutter 2015.
    """
    history = losses if isinstance(losses, History) else History.of(losses)
    misses = np.array([*_backtests(history)]).reshape(-1, len(FAMILIES))
    weights = _weights(misses)
    return Forecast(history, _fitted(history), weights, _drift(misses, weights))


def _fitted(history: History) -> tuple[Curve, ...]:
    time = history.time / history.count
    error = np.hypot(history.error, UNLIKE * np.abs(history.level)) + LEAST
    curves = (family.fit(time, history.level, error, history.positive) for family in FAMILIES)
    return tuple(_anchored(curve, history) for curve in curves)


def _anchored(curve: Curve, history: History) -> Curve:
    """The curve, moved to where the loss stands."""
    fitted, stands = curve(history.time[-LATE:] / history.count), history.level[-LATE:]
    if history.positive:
        ratio = float(np.exp(np.log(stands / np.maximum(fitted, LEAST)).mean()))
        return lambda at: ratio * curve(at)
    off = float((stands - fitted).mean())
    return lambda at: curve(at) + off


def _backtests(history: History) -> Iterator[list[float]]:
    """For each origin, by how much each family missed the end of the curve, per e-fold of time."""
    for origin in ORIGINS:
        known = history.until(origin * history.count)
        if known.count >= FEWEST and len(known.time) >= 6:
            end = np.array([history.time[-1] / known.count])
            missed = [_gap(history, float(curve(end)[0])) for curve in _fitted(known)]
            yield [miss / math.log(end[0]) for miss in missed]


def _gap(history: History, foretold: float) -> float:
    """From the last level to what was foretold of it, in proportion where losses are positive."""
    if history.positive:
        return math.log(max(foretold, LEAST) / history.level[-1])
    return float(foretold - history.level[-1]) / _size(history)


def _weights(misses: Floats) -> Floats:
    """By the inverse of the mean squared miss (Bates & Granger 1969)."""
    if not len(misses):
        return np.full(len(FAMILIES), 1 / len(FAMILIES))
    squares = np.square(misses).mean(0)
    inverse = 1 / (squares + 0.1 * squares.mean() + 1e-12)
    return np.asarray(inverse / inverse.sum())


def _drift(misses: Floats, weights: Floats) -> float:
    """How far forecasts go wrong: this curve's own backtests, and as many again as `PRIOR` says of other curves."""
    own = np.square(misses @ weights)
    return float(np.sqrt((own.sum() + PRIOR * USUAL_DRIFT**2) / (len(own) + PRIOR)))


def _size(history: History) -> float:
    """What errors are told in proportion to."""
    return 1.0 if history.positive else float(np.ptp(history.level)) or float(abs(history.level[-1])) or 1.0


def _relative_error(history: History) -> float:
    return float(history.error[-1] / (history.level[-1] if history.positive else _size(history)))


def _off(level: Floats, shock: Floats, size: float, positive: bool) -> Floats:
    """A curve carried off by errors, one row each."""
    return np.maximum(level, LEAST) * np.exp(shock) if positive else level + shock * size


def _student(probability: Floats) -> Floats:
    """Quantiles of Student's t with 4 degrees of freedom: errors have heavier tails than the normal's.

    Source: Shaw 2006, Sampling Student's T distribution, J. Computational Finance 9(4), equation 37.
    """
    spread = 4 * probability * (1 - probability)
    outward = np.cos(np.arccos(np.sqrt(spread)) / 3) / np.sqrt(spread)
    return np.asarray(2 * np.sign(probability - 0.5) * np.sqrt(outward - 1))


def _sides(confidence: float) -> tuple[float, float, float]:
    return (1 - confidence) / 2, 0.5, (1 + confidence) / 2


def _quantiles(values: Floats, weights: Floats, wanted: tuple[float, ...]) -> list[float]:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, np.array(wanted) * reached[-1]).clip(max=len(values) - 1)
    return [float(value) for value in values[order][places]]
