"""Gradient noise over a run: what single batches told, pooled, and what another batch would have taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from undertow.errors import NoiseError
from undertow.noise.estimate import Estimate, jackknife, total
from undertow.noise.gradient import FEWEST, GradientNoise, NoiseOfBatch
from undertow.shown import Shown

__all__ = ["NoiseOfRun", "pooled"]


def pooled(noises: Sequence[GradientNoise]) -> GradientNoise:
    """Signal and noise of several batches together: those of the average batch, and the ratio of their averages.

    The noise scale of a single batch is a ratio with a large error; averaging signal and noise first makes that error
    small, and the bias of the ratio with it. Errors are from leaving out each batch in turn, so what changed between
    the batches is in them.

    Args:
        noises: At least 3, from different batches, of one size.

    Raises:
        NoiseError: There are fewer than 3.

    Source:
        McCandlish et al. 2018, arXiv:1812.06162, appendix A.1.
    """
    _enough(len(noises))
    signals, spreads = _both(noises)
    examples = round(sum(noise.examples for noise in noises) / len(noises))
    signal, spread = _without(signals), _without(spreads)
    ratio = jackknife(signals.mean() / spreads.mean(), signal / spread)
    return GradientNoise(
        examples,
        jackknife(signals.mean(), signal),
        jackknife(spreads.mean(), spread),
        jackknife(spreads.mean() / signals.mean(), spread / signal),
        ratio.times(examples),
    )


@dataclass(frozen=True)
class NoiseOfRun(Shown):
    """What the batches of some steps of one run told.

    Attributes:
        at: The steps, rising.
        batches: For each of them, what `gradient_noise` told of its batch.
        end: The step that the run ended at, or that the question is about.
        per_window: How many batches are pooled, so that signal and noise change little among them.
    """

    at: Sequence[int]
    batches: Sequence[NoiseOfBatch]
    end: int
    per_window: int = 8

    def windows(self, name: str = "") -> list[tuple[int, GradientNoise]]:
        """The noise along the run: each window's first step, and what its batches told together.

        Args:
            name: A parameter, or a module with all below it; the whole model when left out.

        Raises:
            KeyError: No such parameter or module got a gradient.
            NoiseError: There are fewer than 3 batches.
        """
        return [(self.at[part.start], pooled(of)) for part, of in self._parts(name)]

    def by_module(self) -> dict[str, list[tuple[int, GradientNoise]]]:
        """The same for each module that has parameters of its own, by its path."""
        return {path: self.windows(path) for path in self.batches[0].by_module()}

    def steps(self, batch: float) -> Estimate:
        """How many steps the same way would have taken with batches of this size.

        A step with noise scale b and batch B brings 1 / (1 + b / B) of what one without noise would; so each window's
        steps are multiplied by (1 + b / batch) / (1 + b / B), with B the run's own batch. It supposes that both runs
        have the step size that is best for their batch: in proportion to the batch far below the noise scale, the same
        for all far above it. And that curvature is alike in all directions, which it is not: McCandlish et al. found
        the noise scale within a factor of a few of the critical batch that `tradeoff` measures. Where the signal cannot
        be told from 0, it may come out below B / batch of the steps, which is the least: read it with its error.

        Raises:
            NoiseError: There are fewer than 3 batches.

        Source:
            McCandlish et al. 2018, arXiv:1812.06162, section 2.3 and appendix D.
        """
        spans = []
        for part, noises in self._parts(""):
            first = self.at[part.start] if part.start else 0
            after = self.at[part.stop] if part.stop < len(self.at) else self.end
            spans.append(_times(pooled(noises), batch).times(after - first))
        return total(spans)

    def examples(self, batch: float) -> Estimate:
        """How many examples the same way would have taken with batches of this size; as `steps`."""
        return self.steps(batch).times(batch)

    def _parts(self, name: str) -> Iterator[tuple[slice, list[GradientNoise]]]:
        """Windows of batches; the last takes in what is left over."""
        _enough(count := len(self.batches))
        size = max(self.per_window, FEWEST)
        starts = list(range(0, max(count - size + 1, 1), size))
        for first, stop in zip(starts, [*starts[1:], count], strict=True):
            yield slice(first, stop), [batch.of(name) for batch in self.batches[first:stop]]


def _times(noise: GradientNoise, batch: float) -> Estimate:
    """(1 + b / batch) / (1 + b / B), by its tangent at 1 / b = 0 below: cut off there, it would be biased."""
    ratio, own = noise.signal_to_noise.times(1 / noise.examples), 1 / noise.examples  # 1 / b, 1 / B
    kept = max(ratio.value, 0.0)
    slope = (own - 1 / batch) / (kept + own) ** 2
    value = (kept + 1 / batch) / (kept + own) + slope * min(ratio.value, 0.0)
    return Estimate(value, abs(slope) * ratio.error, ratio.freedom)


def _both(noises: Sequence[GradientNoise]) -> tuple[Tensor, Tensor]:
    """Signal and noise of each."""
    rows = [[noise.signal.value, noise.noise.value] for noise in noises]
    signals, spreads = torch.tensor(rows, dtype=torch.float64).unbind(1)
    return signals, spreads


def _without(values: Tensor) -> Tensor:
    """The mean without each in turn."""
    return (values.sum() - values) / (len(values) - 1)


def _enough(count: int) -> None:
    if count < FEWEST:
        raise NoiseError(
            f"{count} batches are too few\n  Their error, had by leaving each out, takes {FEWEST}: ask more steps."
        )
