"""How much of a gradient is noise, and what follows for the batch."""

from undertow.noise.estimate import Estimate
from undertow.noise.gradient import GradientNoise, NoiseOfBatch, gradient_noise, noise_of_gradients
from undertow.noise.run import NoiseOfRun, pooled
from undertow.noise.tradeoff import Tradeoff, tradeoff

__all__ = [
    "Estimate",
    "GradientNoise",
    "NoiseOfBatch",
    "NoiseOfRun",
    "Tradeoff",
    "gradient_noise",
    "noise_of_gradients",
    "pooled",
    "tradeoff",
]
