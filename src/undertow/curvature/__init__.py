"""How a loss is curved where a model stands: eigenvalues, trace, spectrum, and the edge of stability."""

from undertow.curvature.curvature import Curvature, curvature
from undertow.curvature.density import Density, density
from undertow.curvature.edge import Edge
from undertow.curvature.eigen import Eigen, Eigenpair, Start, eigen
from undertow.curvature.trace import trace

__all__ = ["Curvature", "Density", "Edge", "Eigen", "Eigenpair", "Start", "curvature", "density", "eigen", "trace"]
