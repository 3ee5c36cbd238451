"""What the gradients of successive steps have in common: steps that turn back, batches far from the noise scale."""

from __future__ import annotations

from undertow.diagnose.case import Case
from undertow.diagnose.signal import Signal, signal, signals
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []

MOSTLY = 0.5
"""Of the squared gradient of a step: more of it turning back, the way to and fro is most of the way."""

OFTEN = 0.25
"""Of the parts of a run, at least two, that have to show it."""


@diagnosis(
    "UT706",
    "oscillation",
    message="from step {step} on, at least {turning:.0%} of a step's squared gradient points back where the one before "
    "it pointed from: the steps jump from side to side of a narrow valley",
    advice="Lower the rate (a half stops it where the curvature is what it is): what the loss gains, it gains along "
    "the valley in spite of these jumps.",
    source="Cohen, Kaur, Li, Kolter & Talwalkar 2021, arXiv:2103.00065: above 2 / rate the step along the sharpest "
    "direction comes out on the other side, farther away than it began",
)
def oscillation(case: Case) -> Found:
    """Steps that jump from one side of a valley to the other, and back.

    ## What it means
    Along a direction of curvature λ, a step of gradient descent at rate η multiplies the gradient by 1 - ηλ. Past
    ηλ = 1 it comes back with the other sign, and at ηλ = 2 as large as it was. Where most of the gradient does so from
    step to step, for a good part of the run, the rate is at the edge of what the curvature allows (the edge of
    stability; with momentum that edge is higher, and a gradient that turns at every step lies at it as well). It is
    said where the error of the measurement leaves no doubt, in a quarter of the parts of the run that were measured,
    each by four pairs of gradients of successive steps or more. Of 304 healthy runs of the gallery it was said of the
    two that were made to show it, and of no other (0 to 1 %; benchmarks/course.md).

    ## When it is harmless
    Often: large networks under full batches train at this edge and learn well, since the loss still falls along the
    valley. It is never more than a remark.

    ## What to do
    Lower the rate towards the end, or from where it begins. `undertow.curvature(…).edge(optimizer)` measures how far
    from the edge the run is.
    """
    parts = signals(case.run)
    found = [part for part in parts if part.turns(MOSTLY)]
    if len(found) < max(2, OFTEN * len(parts)):
        return
    yield {
        "turning": min(part.turning - part.margin(part.turning_error) for part in found),
        "step": found[0].step,
        "share": len(found) / len(parts),
        "onset": "later" if found[0].step > case.start else "start",
        "harm": 0.2,
    }


FAR = 10.0
"""Times the batch, or a part of it, that the noise scale has to be for a remark."""

CLOSE = 3
"""Steps apart, at most, typically: weights that moved meanwhile have gradients less in common, as noise does."""


def _settled(case: Case) -> Signal | None:
    """The signal of the second half, where batches are drawn anew and successive ones were seen.

    Where `.grad` holds the batches before as well, successive gradients are no gradients of different batches.
    """
    common = signal(case.run, case.start + (case.outcome.steps - case.start) // 2)
    if any((u.carried > 0).any() for u in case.run.updates if u.step > case.start):
        return None
    batches = [noted.batch for _, noted in case.noted if noted.batch is not None]
    drawn = len({batch.mark for batch in batches}) > 1
    return common if drawn and common is not None and common.apart <= CLOSE and not common.turns(0.0) else None


@diagnosis(
    "UT707",
    "batch-lost-in-noise",
    message="in the second half at most {share:.1%} of a batch's squared gradient is signal: its noise scale is at "
    "least {times:.2g} batches, so that a batch twice as large would take {saved:.0%} to 50% fewer steps the same way",
    advice="Where several examples are as fast as one, enlarge the batch, or average gradients over several; or lower "
    "the rate, which averages over steps.",
    source="McCandlish, Kaplan, Amodei & others 2018, arXiv:1812.06162: steps fall as 1 + noise scale / batch",
)
def batch_lost_in_noise(case: Case) -> Found:
    """A batch of which the gradient is noise by more than nine tenths.

    ## What it means
    The noise scale is the batch whose gradient holds as much signal as noise. A batch of a tenth of it or less points
    mostly where chance does: as many examples in half as many steps lead nearly as far. It is measured by what the
    gradients of successive steps have in common, over the second half of the run, and said where the upper end of its
    95 % interval is low enough; what doubling saves follows from that end. A step along the noise of its own batch
    turns the next gradient back by rate times curvature of it, which is told as so much less signal: a share that is
    below zero for sure is not called noise.

    ## When it is harmless
    Nearly always late in a training, when there is little left to learn; and wherever time is spent example by example,
    as then a larger batch takes as much longer. It is never more than a remark.

    ## What to do
    `undertow.gradient_noise` measures it from single batches, and `undertow.noise.NoiseOfRun` says how many steps and
    examples another batch would have taken.
    """
    common = _settled(case)
    if common is None or not common.times[0] >= FAR:
        return
    times = min(common.times[0], LARGEST)
    yield {
        "share": max(common.interval[1], 0.0),
        "times": times,
        "saved": 1 - (1 + times / 2) / (1 + times),
        "onset": "later",
        "harm": 0.05,
    }


LARGEST = 1000.0
"""Times the batch beyond which no measurement of a few steps says anything."""


@diagnosis(
    "UT708",
    "batch-larger-than-its-noise",
    message="in the second half at least {share:.0%} of a batch's squared gradient is signal: its noise scale is at "
    "most {times:.2g} batches, so that half a batch would take at most {saved:.0%} more steps, of half as many "
    "examples each",
    advice="Halve the batch, or raise the rate: most of each batch says what the rest of it says.",
    source="McCandlish, Kaplan, Amodei & others 2018, arXiv:1812.06162: examples rise as 1 + batch / noise scale",
)
def batch_larger_than_its_noise(case: Case) -> Found:
    """A batch of which the gradient holds next to no noise.

    ## What it means
    Batches drawn anew have gradients that are nearly the same: nine tenths and more of their squared size is in common
    to successive ones, as far as the lower end of its 95 % interval. The batch is ten times the noise scale or more,
    and examples beyond that scale are computed for little.

    ## When it is harmless
    Where larger batches cost no more time, as on a device that a smaller one would not fill. It is never more than a
    remark. Batches that are always the same are not said to be: they say nothing of noise. Batches of examples that lie
    next to each other in sorted data have more in common than batches drawn at random, and are said to hold less noise
    than there is (UT507).

    ## What to do
    Smaller batches, and as many steps more of them as fit in the time; or a larger rate.
    """
    common = _settled(case)
    if common is None or not common.times[1] <= 1 / FAR:
        return
    times = max(common.times[1], 0.0)
    yield {
        "share": common.interval[0],
        "times": times,
        "saved": (1 + 2 * times) / (1 + times) - 1,
        "onset": "later",
        "harm": 0.05,
    }
