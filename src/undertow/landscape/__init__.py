"""The loss around a point and between points: slices along directions, straight paths, trajectories."""

from undertow.landscape.directions import difference, gradient, principal, random, sharpest
from undertow.landscape.landscape import Evaluation, Grid, landscape
from undertow.landscape.measure import Work
from undertow.landscape.path import Barrier, barrier
from undertow.landscape.slice import Slice, Track
from undertow.landscape.spanning import spanning

__all__ = [
    "Barrier",
    "Evaluation",
    "Grid",
    "Slice",
    "Track",
    "Work",
    "barrier",
    "difference",
    "gradient",
    "landscape",
    "principal",
    "random",
    "sharpest",
    "spanning",
]
