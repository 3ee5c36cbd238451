"""A graph that was met before is recognised, and nothing else is taken for it."""

import pytest
import torch
from hypothesis import given
from torch import Tensor

from tests.samples import SAMPLES
from tests.strategies import forked_losses
from undertow.engine import reading
from undertow.engine.graph import Graph


def ones(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.ones(shape, dtype=dtype, requires_grad=True)


def swapped() -> Tensor:
    left, right = ones(4).split(2)
    return left / right


def straight() -> Tensor:
    left, right = ones(4).split(2)
    return right / left


def recorded_late() -> Tensor:
    a, b = ones(2), ones(2)
    later = b.exp()
    return a.exp() * later


def recorded_early() -> Tensor:
    a, b = ones(2), ones(2)
    earlier, later = b.exp(), a.exp()
    return later * earlier


def one_leaf() -> Tensor:
    a = ones(2)
    return a.exp() * a.exp()


def one_operation() -> Tensor:
    a = ones(2).exp()
    return a * a


def written_in_place() -> Tensor:
    base = ones(4) * 1
    base[:2].mul_(ones(2))
    return base


KIN = [
    *(lambda: ones(2).exp() * ones(2).exp(), one_leaf, one_operation),
    *(lambda: ones(2).exp() * ones(2), lambda: ones(2) * ones(2).exp(), lambda: ones(2).exp() * torch.ones(2)),
    *(lambda: ones(2).exp() * ones(2).sin(), lambda: ones(3).exp() * ones(3).exp()),
    lambda: ones(2, dtype=torch.float64).exp() * ones(2, dtype=torch.float64).exp(),
    *(
        lambda: ones(1).exp() * ones(2).exp(),
        lambda: ones(2) * ones(2) * ones(2),
        lambda: ones(2) * (ones(2) * ones(2)),
    ),
    *(lambda: torch.cat([ones(1), ones(1)]), lambda: torch.cat([ones(1), ones(1), ones(1)]), lambda: ones(2).exp()),
    *(straight, swapped, recorded_late, recorded_early, written_in_place),
    *(lambda: ones(1, 2) @ ones(2, 2), lambda: torch.ones(3, 2) @ ones(2, 2), lambda: torch.ones(2, 2) @ ones(2, 2)),
    *(lambda: ones(2) + torch.ones(1), lambda: ones(2) + torch.ones(1, 2), lambda: ones(2) + torch.ones(2).double()),
    *(lambda: ones(2, 3).relu() * ones(2, 3).t().t(), lambda: ones(3, 2).relu() * ones(3, 2).t().t()),
]
"""Graphs that differ in one thing each, or in nothing but the order in which they were recorded."""


def assert_read_as_if_it_were_new(output: Tensor) -> None:
    read = Graph.read(output)
    reading._KEPT.clear()
    afresh = Graph.read(output)
    assert read.nodes == afresh.nodes
    assert (read.edges, read.spaces, read.roots) == (afresh.edges, afresh.spaces, afresh.roots)
    assert read.signature() == afresh.signature()


@pytest.mark.parametrize("before", KIN)
def test_no_graph_is_taken_for_one_that_it_resembles(before):
    for make in KIN:
        Graph.read(before().sum())
        assert_read_as_if_it_were_new(make().sum())


@pytest.mark.parametrize("kind", reading.FORESEEN, ids=lambda kind: kind.__name__)
def test_what_is_foreseen_follows_from_the_spaces_of_the_inputs(kind):
    found = {}
    for node in [node for sample in SAMPLES[kind.__name__] for node in sample.nodes(kind.__name__)]:
        if all(edge is not None for edge, _ in node.next_functions):
            inputs = tuple(reading._spaces(edge)[slot] for edge, slot in node.next_functions)
            assert found.setdefault(inputs, reading._spaces(node)) == reading._spaces(node)
    assert found


@given(forked_losses(), forked_losses())
def test_random_graphs_are_read_as_if_they_were_new(before, made):
    for earlier in (before, made):
        Graph.read(earlier[0])
        assert_read_as_if_it_were_new(made[0])


def test_the_next_step_of_a_training_is_recognised():
    first, second = (Graph.read(one_leaf().sum()) for _ in range(2))
    assert second.edges is first.edges
    assert not {*first.nodes} & {*second.nodes}
