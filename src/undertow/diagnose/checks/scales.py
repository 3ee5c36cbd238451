"""Scales that a loss measures distances by, and the sign with which their logarithm enters it."""

from __future__ import annotations

from collections.abc import Iterator

from undertow.diagnose.checks.head import VIEWS, below, names_in
from undertow.store import Pass

__all__ = ["runaway_scale"]

SUMS = ("AddBackward0", "DivBackward0", "MeanBackward0", "MeanBackward1", "NegBackward0", "SubBackward0",
        "SumBackward0", "SumBackward1", "SelectBackward0")  # fmt: skip
"""Operations whose inputs enter the loss with a sign that can be followed; a division is by a number of things."""

CARRIES = frozenset({"AddBackward0", "CatBackward0", "MulBackward0", "SelectBackward0", "SliceBackward0",
                     "SubBackward0"}) | VIEWS  # fmt: skip
"""What a scaled number goes through on its way to where its distance is measured."""

SQUARES = frozenset({"MseLossBackward0", "PowBackward0"})

Sign = tuple[int, frozenset[int]]
"""A sign, and the multiplications by one number on the way, whose signs are not known."""


def runaway_scale(observed: Pass) -> int | None:
    """An exponential that multiplies a distance, whose exponent is added to the loss as well.

    Then both fall as the exponent does, and there is no lower end: the logarithm of a density takes it off.
    """
    terms = [*_terms(observed)]
    entering = {(_reads(observed, index), sign) for index, sign in terms}
    for index, (sign, unknown) in terms:
        for power in _scaling(observed, index):
            for exponent, turned in _exponents(observed, power):
                if (_reads(observed, exponent), (sign * turned, unknown)) in entering:
                    return power
    return None


def _terms(observed: Pass) -> Iterator[tuple[int, Sign]]:
    """What the loss is a sum of, each with its sign."""
    topology, names = observed.flow.topology, names_in(observed)
    by_one = frozenset[int]() if observed.conditions is None else frozenset(observed.conditions.scaled)
    stack: list[tuple[int, Sign]] = [(root, (1, frozenset[int]())) for root, _ in topology.roots]
    while stack:
        index, (sign, unknown) = stack.pop()
        yield index, (sign, unknown)
        times = names[index] == "MulBackward0" and index in by_one
        if names[index] in SUMS or names[index] in VIEWS or times:
            for edge in topology.edges:
                if edge.sender == index:
                    flips = names[index] == "NegBackward0" or (names[index] == "SubBackward0" and edge.position == 1)
                    stack.append((edge.receiver, (-sign if flips else sign, unknown | {index} if times else unknown)))


def _scaling(observed: Pass, index: int) -> Iterator[int]:
    """The exponentials that multiply what is squared here, or its square."""
    names = names_in(observed)
    if names[index] in SQUARES:
        yield from _multiplied(observed, index)
    elif names[index] == "MulBackward0":
        factors = [*below(observed, index)]
        if any(names[i] in SQUARES for i in factors):
            yield from (i for i in factors if names[i] == "ExpBackward0")


def _multiplied(observed: Pass, index: int) -> Iterator[int]:
    names, seen, stack = names_in(observed), set[int](), [index]
    while stack:
        at = stack.pop()
        for edge in observed.flow.topology.edges:
            if edge.sender == at and edge.receiver not in seen:
                seen.add(edge.receiver)
                if names[edge.receiver] in CARRIES:
                    stack.append(edge.receiver)
                elif names[edge.receiver] == "ExpBackward0" and names[at] == "MulBackward0":
                    yield edge.receiver


def _exponents(observed: Pass, power: int) -> Iterator[tuple[int, int]]:
    """What an exponential is taken of, and whether it was turned round before."""
    names = names_in(observed)
    for inner in below(observed, power):
        if names[inner] == "NegBackward0":
            yield from ((i, -1) for i in below(observed, inner))
        else:
            yield inner, 1


Read = tuple[str, frozenset[tuple[int, int]]]


def _reads(observed: Pass, index: int) -> Read:
    """What an operation computes of what: the same twice where it was written twice."""
    edges = [edge for edge in observed.flow.topology.edges if edge.sender == index]
    if not edges:
        return str(index), frozenset()
    return names_in(observed)[index], frozenset((edge.receiver, edge.slot) for edge in edges)
