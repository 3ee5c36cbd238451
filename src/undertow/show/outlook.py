"""Where a run is going: in words, and as a fan of what the loss may become."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from undertow.errors import ForecastError
from undertow.forecast import Forecast, Interval, Outlook, Reach, outlook
from undertow.show.blocks import Block, Facts, Figure, Text
from undertow.show.traces import axis, band, line, loss_axis
from undertow.show.words import duration, number
from undertow.store.run import Run

__all__ = ["Question", "fan", "fan_of", "forecast_blocks", "prospects"]

BANDS = ((0.9, "9 in 10"), (0.5, "1 in 2"))
"""How probable it is that the loss stays within a band of the fan."""

TIMES = 2.0
"""How many times as far as it has come a run is shown to go on, where nobody asked for another step."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know of a run to come.

    Attributes:
        target: A loss to come down to.
        hours: A deadline, in hours from the start of the run.
        price: Of an hour of training.
        until: The optimizer step to look ahead to.
    """

    target: float | None = None
    hours: float | None = None
    price: float | None = None
    until: int | None = None


def prospects(seen: Outlook, question: Question) -> list[Block]:
    """The loss to come, what going on brings, and what a target takes."""
    ahead = question.until or int(TIMES * seen.steps)
    rows = [*_course(seen, ahead), *_target(seen, question)]
    note = "The loss is the mean about a step, as a smoothed curve would show it. Ranges hold 9 times in 10."
    return [
        Facts("Where the loss goes from here", note, tuple(rows)),
        Text("If it stopped now", paragraphs=(_stopping(seen, ahead),)),
    ]


def _course(seen: Outlook, ahead: int) -> Iterator[tuple[str, str]]:
    now = number(float(seen.forecast.history.level[-1]))
    yield "now", f"{now} at step {seen.steps:,}"
    farthest = seen.at(ahead)
    yield "pace", f"{duration(seen.seconds_per_step)} a step, {duration(seen.elapsed)} so far"
    if (halfway := (seen.steps + ahead) // 2) > seen.steps:
        yield f"at step {halfway:,}", _range(seen.at(halfway))
    yield f"at step {ahead:,}", _range(farthest)


def _target(seen: Outlook, question: Question) -> Iterator[tuple[str, str]]:
    if question.target is None:
        return
    reach = seen.reach(question.target, question.price or 0.0)
    yield f"a loss of {number(question.target)}", _chance(reach)
    if reach.probability > 0.05:
        yield "at step", _arrival(reach.steps, lambda step: f"{step:,.0f}")
        yield "after", _arrival(reach.hours, lambda hours: duration(3600 * hours))
        if question.price is not None:
            yield "at a cost of", _arrival(reach.cost, number)
    if question.hours is not None:
        chance = seen.probability(question.target, question.hours)
        yield f"by {duration(3600 * question.hours)}", f"reached with a probability of {_percent(chance)}"


def _chance(reach: Reach) -> str:
    return f"reached with a probability of {_percent(reach.probability)}, within ten times the steps made so far"


def _stopping(seen: Outlook, ahead: int) -> str:
    """What stopping now would lose."""
    gain = seen.gain(ahead)
    ends = f"{_change(gain.fall.low)} to {_change(gain.fall.high)}"
    return (
        f"By step {ahead:,} the loss would be {_change(gain.fall.middle)} ({ends}). "
        f"The probability that it falls at all is {_percent(gain.probability)}."
    )


def _change(fall: float) -> str:
    return f"{number(abs(fall))} {'lower' if fall >= 0 else 'higher'}"


def _percent(probability: float) -> str:
    if probability < 0.01:
        return "less than 1 %"
    return f"{100 * probability:.0f} %" if probability <= 0.99 else "more than 99 %"


def _arrival(when: Interval, told: Callable[[float], str]) -> str:
    """A range without an upper end, or without a middle, in words."""
    if math.isinf(when.low):
        return "probably never"
    if math.isinf(when.middle):
        return f"hardly before {told(when.low)}, and probably never"
    if math.isinf(when.high):
        return f"{told(when.middle)} ({told(when.low)} at the earliest, perhaps never)"
    return _range(when, told)


def _range(interval: Interval, told: Callable[[float], str] = number) -> str:
    low, middle, high = (told(value) for value in (interval.low, interval.middle, interval.high))
    return f"{middle} ({low} to {high})"


def fan(run: Run) -> Iterator[Figure]:
    """The loss so far, and what it may become if training goes on as it is."""
    try:
        seen = outlook(run)
    except ForecastError:
        return
    yield from fan_of(seen)


def forecast_blocks(seen: Forecast) -> list[Block]:
    """Where a loss curve goes, counted in losses."""
    steps = seen.history.count
    alone = Outlook(seen, steps, 1.0, math.nan, math.nan)
    rows = [("now", f"{number(float(seen.history.level[-1]))} at step {steps:,}")]
    rows += [(f"at step {int(times * steps):,}", _range(alone.at(int(times * steps)))) for times in (1.5, TIMES)]
    note = "The loss is the mean about a step, as a smoothed curve would show it. Ranges hold 9 times in 10."
    return [Facts("Forecast", note, tuple(rows)), *fan_of(alone)]


def fan_of(seen: Outlook) -> Iterator[Figure]:
    """The same of an outlook."""
    ahead, history = int(TIMES * seen.steps), seen.forecast.history
    steps = [float(step) for step in np.geomspace(seen.steps + 1, ahead, 40)]
    bands = [(words, [seen.at(step, confidence) for step in steps]) for confidence, words in BANDS]
    traces = [
        *[trace for words, intervals in bands for trace in band(steps, [(i.low, i.high) for i in intervals], words)],
        line((history.time / seen.losses_per_step).tolist(), history.level, "so far, smoothed", "@loss", width=1.6),
        line(steps, [interval.middle for interval in bands[0][1]], "to be expected", "@gain", width=1.6),
    ]
    note = (
        f"If training goes on as it is: {_range(seen.at(ahead))} at step {ahead:,}. The wide band holds what comes 9 "
        "times in 10, the darker one within it 5; they widen by how far forecasts of this very curve, made at earlier "
        "steps, went wrong. "
        f"{_stopping(seen, ahead)}"
    )
    loss = loss_axis(level for trace in traces for level in trace["y"])
    yield Figure(
        "The loss to come",
        note,
        traces,
        {"xaxis": axis("optimizer step"), "yaxis": loss, "showlegend": True},
    )
