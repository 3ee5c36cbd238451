"""How much of a gradient is noise, and what follows for the batch."""

from undertow.noise.estimate import Estimate
from undertow.noise.gradient import GradientNoise, NoiseOfBatch, gradient_noise

__all__ = ["Estimate", "GradientNoise", "NoiseOfBatch", "gradient_noise"]
