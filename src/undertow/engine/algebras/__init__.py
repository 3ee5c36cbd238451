"""What can travel backward: each algebra carries another quantity along the same maps."""

from undertow.engine.algebras.base import Algebra
from undertow.engine.algebras.gradient import Gradient
from undertow.engine.algebras.magnitude import Bounds, Magnitude
from undertow.engine.algebras.rounded import Narrowed, Rounded
from undertow.engine.algebras.samples import Samples
from undertow.engine.algebras.scaled import Extended, Scaled
from undertow.engine.algebras.strongest import MaxProduct

__all__ = [
    "Algebra",
    "Bounds",
    "Extended",
    "Gradient",
    "Magnitude",
    "MaxProduct",
    "Narrowed",
    "Rounded",
    "Samples",
    "Scaled",
]
