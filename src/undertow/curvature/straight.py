"""Of which parameters a network is piecewise linear, taken one number at a time: read off the recorded graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from undertow.engine.reading import ACCUMULATE_GRAD, read

__all__ = ["DEPENDS", "beside", "straight"]

_FIRST: dict[int, tuple[int, ...]] = {0: (0,)}
_PRODUCT: dict[int, tuple[int, ...]] = {0: (0, 2), 1: (0, 1), 2: (0,)}

DEPENDS: dict[str, dict[int, tuple[int, ...]]] = {
    "AdaptiveMaxPool2DBackwardBackward0": _FIRST,
    "AdaptiveMaxPool3DBackwardBackward0": _FIRST,
    "AvgPool2DBackwardBackward0": _FIRST,
    "AvgPool3DBackwardBackward0": _FIRST,
    "ConvolutionBackwardBackward0": _PRODUCT,
    "HardshrinkBackwardBackward0": _FIRST,
    "HardtanhBackwardBackward0": _FIRST,
    "LeakyReluBackwardBackward0": _FIRST,
    "MaxPool2DWithIndicesBackwardBackward0": _FIRST,
    "MaxPool3DWithIndicesBackwardBackward0": _FIRST,
    "NativeBatchNormBackwardBackward0": _PRODUCT,
    "PreluKernelBackwardBackward0": {0: (0, 2), 1: (0, 1)},
    "SgnBackward0": {0: ()},
    "SoftshrinkBackwardBackward0": _FIRST,
    "ThresholdBackwardBackward0": _FIRST,
}
"""By type of a node of a recorded gradient and number of its output: the inputs on which its derivative is not zero.

A piecewise linear function's backward function names its input, of which it takes only the piece; and one that gives
the gradients by both factors of a product at once takes for each of them only the other. Of all other nodes every
output is taken to depend on every input: for them the answer may be a no too many, never a yes.
"""


def straight(outputs: Sequence[Tensor], parameters: Mapping[str, Tensor]) -> frozenset[str]:
    """The parameters by whose single entries the second derivative of all outputs is zero.

    The gradient by such a parameter, with a constant sent backward from the outputs, is recorded, and does not depend
    on the parameter itself: the record has no way from the one to the other. So the diagonal of its second derivative
    is zero, wherever there is one.
    """
    tensors = [*parameters.values()]
    ones = [torch.ones_like(output) for output in outputs]
    gradients = torch.autograd.grad(outputs, tensors, ones, create_graph=True, allow_unused=True)
    starts = {
        name: (gradient.grad_fn, gradient.output_nr)
        for name, gradient in zip(parameters, gradients, strict=True)
        if gradient is not None and gradient.grad_fn is not None
    }
    bits = {id(parameter): 1 << place for place, parameter in enumerate(tensors)}
    reached = _reached([*starts.values()], bits)
    bent = {name for name, start in starts.items() if reached[start] & bits[id(parameters[name])]}
    return frozenset(parameters) - bent


def _reached(starts: Sequence[tuple[Any, int]], bits: Mapping[int, int]) -> dict[tuple[Any, int], int]:
    """Of each output of each node: which parameters can be reached from it, a bit each; all, where nothing is known."""
    nodes, outline = read(starts)
    every = sum(bits.values())
    found: dict[tuple[Any, int], int] = {}
    for node, spaces in zip(reversed(nodes), reversed(outline.spaces), strict=True):
        for slot in range(len(spaces)):
            if type(node) is ACCUMULATE_GRAD:
                found[node, slot] = bits.get(id(node.variable), 0)
            else:
                found[node, slot] = (
                    _union(found[before] for before in _inputs(node, slot)) if node.next_functions else every
                )
    return found


def _inputs(node: Any, slot: int) -> Iterator[tuple[Any, int]]:
    """What an output of a node depends on."""
    inputs = node.next_functions
    known = DEPENDS.get(node.name(), {}).get(slot)
    if known is None or (node.name().startswith("NativeBatchNorm") and node._saved_train):
        known = tuple(range(len(inputs)))
    return (inputs[place] for place in known if inputs[place][0] is not None)


def _union(bits: Iterator[int]) -> int:
    total = 0
    for each in bits:
        total |= each
    return total


def beside(loss: Tensor, outputs: Sequence[Tensor], parameters: Mapping[str, Tensor]) -> frozenset[str]:
    """The parameters on which a loss depends by another way than the outputs, as by a penalty on the weights."""
    ends = {(output.grad_fn, output.output_nr) for output in outputs}
    names = {id(parameter): name for name, parameter in parameters.items()}
    seen: set[Any] = set()
    stack: list[tuple[Any, int]] = [(loss.grad_fn, loss.output_nr)]
    while stack:
        node, slot = stack.pop()
        if node is not None and node not in seen and (node, slot) not in ends:
            seen.add(node)
            stack += node.next_functions
    leaves = [node.variable for node in seen if type(node) is ACCUMULATE_GRAD]
    return frozenset(names[id(leaf)] for leaf in leaves if id(leaf) in names)
