"""Local derivatives of a fused long short-term memory (its recurrence, step by step), and of packing sequences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus import kernels
from undertow.engine.calculus.node import input_shapes, output_shape
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import (
    Diagonal,
    Expand,
    Flip,
    Identity,
    Index,
    LeftMultiply,
    LinearMap,
    Permute,
    Recurrence,
    Reshape,
    RightMultiply,
    Shape,
    Slice,
)

__all__: list[str] = []

LSTM = 2
"""PyTorch's number of this kind of layer."""


@derivative("PackPaddedSequenceBackward0")
def pack(node: Any) -> Local:
    """At each step, the sequences that last as long: the first so many, as they are sorted by length."""
    counts = node._saved_result1
    steps = torch.arange(len(counts)).repeat_interleave(counts)
    sequences = torch.cat([torch.arange(int(count)) for count in counts])
    places = (sequences, steps) if node._saved_batch_first else (steps, sequences)
    device = node._input_metadata[0].device
    source = tuple(node._saved_input_sym_sizes)
    return (Index(source, output_shape(node), tuple(place.to(device) for place in places)),)


@derivative("MkldnnRnnLayerBackward0")
@pulled_by(kernels.recurrences.lstm)
def lstm(node: Any) -> Local | None:
    """One layer in one direction. What it computes is computed again, but for the outputs, which were saved."""
    if node._saved_mode != LSTM or len(node._saved_batch_sizes):
        return None
    x, before = _timely(node, node._saved_input), _before(node)
    into, recurrent, *biases = (getattr(node, f"_saved_weight{i}").detach() for i in range(4))
    z = x @ into.mT + before @ recurrent.mT + (sum(biases) if node._saved_has_biases else 0)
    steps = _steps(z, node._saved_cx_, recurrent.mT)
    gated, cell = _gated(steps.source), _cell(steps.source)
    rows, first = _rows(gated.source), _first(gated.source)
    entrances: list[LinearMap] = [
        gated @ rows @ RightMultiply(into.mT, rows.source[0]) @ _rows(tuple(x.shape)).adjoint() @ _order(node, x),
        gated @ rows @ LeftMultiply(x.flatten(0, 1), rows.source[1]) @ _flipped(into),
        gated @ rows @ LeftMultiply(before.flatten(0, 1), rows.source[1]) @ _flipped(recurrent),
        *[gated @ Expand((rows.source[1],), gated.source)] * 2,
        gated @ first @ RightMultiply(recurrent.mT, first.source[0]),
        cell @ _first(cell.source) @ Diagonal(steps.keeps[0]),
    ]
    # One map for each result, which those to all inputs begin with, so that the steps are gone through once.
    through = [out @ steps for out in _exits(node, steps.target)]
    return [
        None if shape is None else tuple(back @ entrance for back in through)
        for shape, entrance in zip(input_shapes(node), entrances, strict=True)
    ]


def _timely(node: Any, tensor: Tensor) -> Tensor:
    """In the order in which the layer went through it."""
    return tensor.flip(0) if node._saved_reverse else tensor


def _before(node: Any) -> Tensor:
    """The output before each step."""
    return torch.cat([node._saved_hx_.unsqueeze(0), _timely(node, node._saved_result0)[:-1]])


def _steps(z: Tensor, cell: Tensor, weight: Tensor) -> Recurrence:
    """How states answer, at each step, to what the gates are computed from."""
    enters, keeps, new, opens = z.chunk(4, -1)
    enters, keeps, new, opens = enters.sigmoid(), keeps.sigmoid(), new.tanh(), opens.sigmoid()
    cells = [cell]
    for keep, entered in zip(keeps, enters * new, strict=True):
        cells.append(keep * cells[-1] + entered)
    before, shown = torch.stack(cells[:-1]), torch.stack(cells[1:]).tanh()
    by_gate = new * enters * (1 - enters), before * keeps * (1 - keeps), enters * (1 - new**2), torch.zeros_like(new)
    return Recurrence(weight, torch.cat(by_gate, -1), keeps, shown * opens * (1 - opens), opens * (1 - shown**2))


def _gated(source: Shape) -> LinearMap:
    """Into what the gates are computed from, at each step."""
    return Slice(source, 2, 0, source[2] // 5 * 4).adjoint()


def _cell(source: Shape) -> LinearMap:
    """Into the cell itself, at each step."""
    return Slice(source, 2, source[2] // 5 * 4, source[2] // 5).adjoint()


def _rows(shape: Shape) -> LinearMap:
    """From a row for each step of each example."""
    steps, batch, width = shape
    return Reshape((steps * batch, width), shape)


def _first(shape: Shape) -> LinearMap:
    """Into the first step."""
    return Slice(shape, 0, 0, 1).adjoint() @ Reshape(shape[1:], (1, *shape[1:]))


def _flipped(weight: Tensor) -> LinearMap:
    return Permute(tuple(weight.shape), (1, 0))


def _order(node: Any, like: Tensor) -> LinearMap:
    """Between the order of the input and that in which the layer went through it."""
    return Flip(tuple(like.shape), (0,)) if node._saved_reverse else Identity(tuple(like.shape))


def _exits(node: Any, target: Shape) -> tuple[LinearMap, LinearMap, LinearMap]:
    """From the states of all steps to the outputs, the last output and the last cell."""
    steps, _, width = target
    output, cell = Slice(target, 2, 0, width // 2), Slice(target, 2, width // 2, width // 2)
    last = Slice(output.target, 0, steps - 1, 1)
    alone = Reshape(last.target, last.target[1:]) @ last
    return _order(node, node._saved_result0) @ output, alone @ output, alone @ cell
