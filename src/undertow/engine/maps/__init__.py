"""Linear maps with structure: what a local derivative is made of."""

from undertow.engine.maps.axes import AlongAxis
from undertow.engine.maps.base import Adjoint, Compose, Identity, LinearMap, Rearrangement, Rounding, Shape, Sum, links
from undertow.engine.maps.blocks import Blocks, Place
from undertow.engine.maps.convolutions import AdaptiveAveragePool, AveragePool, Convolve, ConvolveKernel, Geometry
from undertow.engine.maps.cumulative import CumulativeSoftmax, CumulativeSum
from undertow.engine.maps.diagonals import DiagonalOf
from undertow.engine.maps.entrywise import Above, Diagonal, Mask, Scale
from undertow.engine.maps.normalizations import LogSoftmax, RankOne, Softmax, Standardize
from undertow.engine.maps.picks import Index, Lookup, TakeAlong
from undertow.engine.maps.products import LeftMultiply, RightMultiply
from undertow.engine.maps.recurrences import Recurrence
from undertow.engine.maps.shapes import Expand, Flip, Permute, Reshape, Roll, Slice, Total
from undertow.engine.maps.windows import Patches, Windows

__all__ = [
    "Above",
    "AdaptiveAveragePool",
    "Adjoint",
    "AlongAxis",
    "AveragePool",
    "Blocks",
    "Compose",
    "Convolve",
    "ConvolveKernel",
    "CumulativeSoftmax",
    "CumulativeSum",
    "Diagonal",
    "DiagonalOf",
    "Expand",
    "Flip",
    "Geometry",
    "Identity",
    "Index",
    "LeftMultiply",
    "LinearMap",
    "LogSoftmax",
    "Lookup",
    "Mask",
    "Patches",
    "Permute",
    "Place",
    "RankOne",
    "Rearrangement",
    "Recurrence",
    "Reshape",
    "RightMultiply",
    "Roll",
    "Rounding",
    "Scale",
    "Shape",
    "Slice",
    "Softmax",
    "Standardize",
    "Sum",
    "TakeAlong",
    "Total",
    "Windows",
    "links",
]
