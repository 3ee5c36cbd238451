"""What can travel backward: each algebra carries another quantity along the same maps."""

from undertow.engine.algebras.base import Algebra
from undertow.engine.algebras.gradient import Gradient
from undertow.engine.algebras.magnitude import Magnitude
from undertow.engine.algebras.samples import Samples

__all__ = ["Algebra", "Gradient", "Magnitude", "Samples"]
