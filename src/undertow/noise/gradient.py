"""How much of a gradient is noise: from one batch, by what its examples contribute."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from undertow.engine.maps.parts import Parts
from undertow.engine.per_sample import contributions
from undertow.errors import NoiseError
from undertow.noise.estimate import Estimate, jackknife
from undertow.shown import Shown

__all__ = ["FEWEST", "GradientNoise", "NoiseOfBatch", "gradient_noise", "noise_of", "noise_of_gradients", "reach"]

FEWEST = 3
"""Observations that an error needs."""


def reach(saving: float) -> float:
    """How many noise scales large the batch is at which doubling it saves this share of the steps."""
    if not 0 < saving < 0.5:
        raise ValueError(f"doubling the batch cannot save {saving} of the steps: pass a share between 0 and 0.5")
    return (0.5 - saving) / saving


@dataclass(frozen=True)
class GradientNoise(Shown):
    """Signal and noise of a gradient, estimated from the examples of one batch.

    G is the gradient of the expected loss, S the covariance of the gradient of one example's own loss.

    Attributes:
        examples: How many there were.
        signal: |G|², freed of the noise that is in the batch's own gradient. In units of the gradient squared.
            May come out negative where it cannot be told from 0.
        noise: tr S, in the same units.
        scale: The simple noise scale tr S / |G|²: the batch, in examples, whose gradient holds as much noise as
            signal. Negative or huge where the signal cannot be told from 0: see `interval`.
        signal_to_noise: |G|² / (tr S / n), of the gradient of a batch as large as this one.
    """

    examples: int
    signal: Estimate
    noise: Estimate
    scale: Estimate
    signal_to_noise: Estimate

    @property
    def interval(self) -> tuple[float, float]:
        """Where the noise scale lies, 95 times in 100, in examples; without an upper end where G may be 0.

        Taken from the signal-to-noise ratio, whose errors are even where those of its inverse are not.
        """
        least, most = (max(end, 0.0) for end in self.signal_to_noise.times(1 / self.examples).interval())
        return 1 / most if most else math.inf, 1 / least if least else math.inf

    def pays_until(self, saving: float = 0.25) -> tuple[float, float]:
        """The batch up to which doubling it saves this share of the steps: where that lies, as `interval`.

        By default a quarter of the steps, for half as many examples again: that is at the noise scale itself. What it
        rests on is said at `undertow.noise.tradeoff`.

        Raises:
            ValueError: A share that doubling cannot save: not between 0 and one half.
        """
        low, high = self.interval
        return low * reach(saving), high * reach(saving)


@dataclass(frozen=True)
class NoiseOfBatch(Shown):
    """What the examples of a batch contributed to the gradient, parameter by parameter.

    Attributes:
        squares: By name of the parameter, the squared norm of each example's contribution.
        along: By name, the inner product of each contribution with the whole gradient.
        borrowed: How often each type of operation had its derivative borrowed from PyTorch.
    """

    squares: Mapping[str, Tensor]
    along: Mapping[str, Tensor]
    borrowed: Mapping[str, int]

    @cached_property
    def whole(self) -> GradientNoise:
        """Of all parameters together."""
        return self.of("")

    def of(self, name: str) -> GradientNoise:
        """Of one parameter, or of all below one module.

        Raises:
            KeyError: No such parameter or module got a gradient.
        """
        below = [known for known in self.squares if not name or known == name or known.startswith(name + ".")]
        if not below:
            raise KeyError(name)
        return noise_of(*(torch.stack([kept[known] for known in below]).sum(0) for kept in (self.squares, self.along)))

    def by_module(self) -> dict[str, GradientNoise]:
        """Of each module that has parameters of its own, those below it included, by its path."""
        return {path: self.of(path) for path in dict.fromkeys(known.rpartition(".")[0] for known in self.squares)}


def gradient_noise(losses: Tensor, model: nn.Module, *, examples: int | None = None) -> NoiseOfBatch:
    """How much signal and how much noise the gradient of this batch has, whole and by module.

    One sweep over the recorded forward pass, in which no gradient of one example is written out where that can
    be avoided. Nothing is added to `.grad`, and the graph can be swept again.

    Args:
        losses: The losses of the examples, along the first dimension: shape (examples, …). Or a reduced loss.
        model: The parameters that are asked about, and their names.
        examples: How many examples a reduced loss was computed from; see `per_sample_norms`.

    Returns:
        The noise of the batch: `whole`, `of("encoder.layers.3")`, `by_module()`. Signal and noise are those of
        the mean of the losses, or of the reduced loss as it is; their ratio is the same for a mean and a sum.

    Raises:
        ExamplesMixError: An operation lets examples see each other, or they cannot be told apart.
        GraphError: The losses do not fit.
        NoiseError: There are fewer than 3 examples.

    Source:
        McCandlish et al. 2018, arXiv:1812.06162, appendix A.1, with examples in place of batches of two sizes.
    """

    def measure(parts: Parts) -> tuple[Tensor, Tensor]:
        if parts.count < FEWEST:
            raise NoiseError(
                f"{parts.count} examples\n  An error of the noise needs at least {FEWEST}: pass a larger batch."
            )
        return parts.squares().double().cpu(), parts.along(parts.total()).double().cpu()

    found, borrowed = contributions(losses, model, examples, measure)
    squares, along = ({name: pair[which] for name, pair in found.items()} for which in (0, 1))
    # As if the loss were the mean of the losses of its examples.
    scale = len(losses) if losses.ndim else 1
    return NoiseOfBatch(
        {name: value / scale**2 for name, value in squares.items()},
        {name: value / scale**2 for name, value in along.items()},
        borrowed,
    )


def noise_of_gradients(gradients: Tensor, examples: int) -> GradientNoise:
    """Signal and noise, from gradients of micro-batches, as of gradient accumulation or of the ranks of a parallel run.

    Args:
        gradients: One gradient a row, each of the mean loss of its own examples, all at the same weights. Shape
            (micro-batches, entries), at least 3.
        examples: How many examples each was computed from.

    Returns:
        Noise, noise scale and their like in units of one example; `signal_to_noise` is of all micro-batches together.

    Raises:
        NoiseError: There are fewer than 3.

    Source:
        McCandlish et al. 2018, arXiv:1812.06162, appendix A.1.
    """
    if len(gradients) < FEWEST:
        raise NoiseError(f"{len(gradients)} gradients\n  An error of the noise needs at least {FEWEST}: pass more.")
    parts = gradients.double() / len(gradients)
    found = noise_of(parts.square().sum(1), parts @ parts.sum(0))
    noise, scale = found.noise.times(examples), found.scale.times(examples)
    return GradientNoise(found.examples * examples, found.signal, noise, scale, found.signal_to_noise)


def noise_of(squares: Tensor, along: Tensor) -> GradientNoise:
    """Signal and noise, from what each example contributed to the gradient of a mean over them.

    Args:
        squares: The squared norm of each contribution. Shape (examples,), at least 3.
        along: Its inner product with the sum of all contributions.
    """
    n = len(squares)
    squares, along = squares.double() * n**2, along.double() * n  # of each example's own gradient
    batch, total = along.mean(), squares.sum()  # |ḡ|², Σ |gᵢ|²
    noise, signal = _unbiased(n, total, batch)
    # The same without each example in turn.
    left = (n**2 * batch - 2 * n * along + squares) / (n - 1) ** 2
    noises, signals = _unbiased(n - 1, total - squares, left)
    ratio = jackknife(signal / noise, signals / noises)
    return GradientNoise(
        n,
        jackknife(signal, signals),
        jackknife(noise, noises),
        jackknife(noise / signal, noises / signals),
        ratio.times(n),
    )


def _unbiased(n: int, total: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
    """tr S and |G|², from the sum of squared norms of n gradients and the squared norm of their mean."""
    noise = (total - n * batch) / (n - 1)
    return noise, batch - noise / n
