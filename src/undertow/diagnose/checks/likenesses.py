"""Scores that one direction of the weights raises for every example, read off the graph."""

from __future__ import annotations

import math
from collections.abc import Iterator

from undertow.diagnose.checks.head import LIMITS, VIEWS, names_in
from undertow.store import Pass

__all__ = ["likenesses", "ones_alone"]

EMBEDDED = ("Embedding",)

PRODUCTS = ("Bmm", "Dot", "Mm", "Mul", "Mv", "SqueezeBackward", "Sum", "Cat", "Sigmoid")
"""What makes a score of vectors, all of which may point one way; what multiplies by data is none."""

LAYERS = frozenset({"AddmmBackward0", "ConvolutionBackward0", "MkldnnConvolutionBackward0"})

AVERAGES = ("Add", "Div", "Mean", "Neg", "Sum")
"""Of one thing that a gradient goes to."""


def likenesses(observed: Pass, index: int) -> bool:
    """Whether a loss is given products of vectors that are looked up, of which nothing is taken off another."""
    names, found = names_in(observed), [*_inputs(observed, index)]
    looked_up = 0
    while found:
        at = found.pop()
        inner = [*_inputs(observed, at)]
        if names[at].startswith(EMBEDDED):
            looked_up += 1
        elif names[at] in VIEWS or (names[at].startswith(PRODUCTS) and _of_the_network_alone(names[at], inner)):
            found += inner
        else:
            return False
    return looked_up > 1


def _of_the_network_alone(name: str, inner: list[int]) -> bool:
    return bool(inner) and (len(inner) > 1 or not name.startswith(("Bmm", "Dot", "Mm", "Mul", "Mv")))


def _inputs(observed: Pass, index: int) -> Iterator[int]:
    for edge in observed.flow.topology.edges:
        if edge.sender == index:
            yield edge.receiver


def ones_alone(observed: Pass) -> int:
    """Of how many scores the loss is minus the mean or sum of the logarithms of their sigmoids; 0 of any other."""
    topology, names = observed.flow.topology, names_in(observed)
    if len(topology.roots) != 1:
        return 0
    at, minus = topology.roots[0][0], 0
    while names[at] in VIEWS or names[at].startswith(AVERAGES):
        inner = [*_inputs(observed, at)]
        if len(inner) != 1:
            return 0
        minus += names[at].startswith("Neg")
        at = inner[0]
    scored = _sigmoid_of_a_logarithm(observed, at) if minus % 2 else None
    if scored is None or not (likenesses(observed, scored) or _of_a_trained_layer(observed, scored)):
        return 0
    return math.prod(topology.operations[scored].shapes[0])


def _sigmoid_of_a_logarithm(observed: Pass, index: int) -> int | None:
    """Where the scores enter, if this is the logarithm of their sigmoid."""
    names = names_in(observed)
    if names[index] == "LogSigmoidBackward0":
        return index
    while names[index] == "LogBackward0" or names[index] in LIMITS | VIEWS or names[index] == "AddBackward0":
        inner = [*_inputs(observed, index)]
        if len(inner) != 1:
            return None
        index = inner[0]
        if names[index] == "SigmoidBackward0":
            return index
    return None


def _of_a_trained_layer(observed: Pass, index: int) -> bool:
    names, inner = names_in(observed), [*_inputs(observed, index)]
    while len(inner) == 1 and names[inner[0]] in VIEWS:
        inner = [*_inputs(observed, inner[0])]
    if len(inner) != 1 or names[inner[0]] not in LAYERS:
        return False
    leaves = {observed.flow.topology.operations[i].leaf for i in _inputs(observed, inner[0])}
    return bool(leaves - {""})
