"""What `import undertow` offers; each name is imported when it is first used."""

from .api import Observation as Observation, note as note, observe as observe
from .compare import Comparison as Comparison, compare as compare
from .curvature import Curvature as Curvature, curvature as curvature
from .derivation import Derivation as Derivation, derive as derive
from .diagnose import Review as Review, review as review
from .engine.backward import backward as backward
from .engine.calculus import CALCULUS as CALCULUS, derivative as derivative
from .engine.carry import Swept as Swept, sweep as sweep
from .engine.flow import Flow as Flow
from .engine.graph import Graph as Graph
from .engine.paths import Path as Path, strongest_path as strongest_path
from .engine.per_sample import SampleNorms as SampleNorms, per_sample_norms as per_sample_norms
from .engine.precision import Precision as Precision, precision as precision
from .forecast import Forecast as Forecast, Outlook as Outlook, forecast as forecast, outlook as outlook
from .landscape import Barrier as Barrier, Slice as Slice, barrier as barrier, landscape as landscape
from .linear import (
    Linearization as Linearization,
    gauss_newton as gauss_newton,
    hessian as hessian,
    linearize as linearize,
)
from .noise import GradientNoise as GradientNoise, NoiseOfBatch as NoiseOfBatch, gradient_noise as gradient_noise
from .preflight import Preflight as Preflight, preflight as preflight
from .standstill import Standstill as Standstill, standstill as standstill
from .store import Run as Run
