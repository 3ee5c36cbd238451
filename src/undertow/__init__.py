"""Backpropagation as a program you can see, and why a network does not learn."""

from undertow.api import Observation, observe
from undertow.compare import Comparison, compare
from undertow.curvature import Curvature, curvature
from undertow.derivation import Derivation, derive
from undertow.diagnose import Review, review
from undertow.engine.backward import backward
from undertow.engine.calculus import CALCULUS, derivative
from undertow.engine.carry import Swept, sweep
from undertow.engine.flow import Flow
from undertow.engine.graph import Graph
from undertow.engine.paths import Path, strongest_path
from undertow.engine.per_sample import SampleNorms, per_sample_norms
from undertow.engine.precision import Precision, precision
from undertow.forecast import Forecast, Outlook, forecast, outlook
from undertow.landscape import Barrier, Slice, barrier, landscape
from undertow.linear import Linearization, gauss_newton, hessian, linearize
from undertow.noise import GradientNoise, NoiseOfBatch, gradient_noise
from undertow.preflight import Preflight, preflight
from undertow.standstill import Standstill, standstill
from undertow.store import Run

__all__ = [
    "CALCULUS",
    "Barrier",
    "Comparison",
    "Curvature",
    "Derivation",
    "Flow",
    "Forecast",
    "GradientNoise",
    "Graph",
    "Linearization",
    "NoiseOfBatch",
    "Observation",
    "Outlook",
    "Path",
    "Precision",
    "Preflight",
    "Review",
    "Run",
    "SampleNorms",
    "Slice",
    "Standstill",
    "Swept",
    "backward",
    "barrier",
    "compare",
    "curvature",
    "derivative",
    "derive",
    "forecast",
    "gauss_newton",
    "gradient_noise",
    "hessian",
    "landscape",
    "linearize",
    "observe",
    "outlook",
    "per_sample_norms",
    "precision",
    "preflight",
    "review",
    "standstill",
    "strongest_path",
    "sweep",
]
