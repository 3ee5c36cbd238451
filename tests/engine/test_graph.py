"""The recorded forward pass, as plain data and as a log to read."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given

from tests.engine.test_backward import dense
from tests.strategies import forked_losses
from undertow.engine.graph import Graph, Operation
from undertow.errors import GraphError


def test_a_graph_prints_as_a_log():
    model = dense(4, 3, 2)
    loss = F.cross_entropy(model(torch.ones(5, 4)), torch.zeros(5, dtype=torch.long))
    names = {id(p): name for name, p in model.named_parameters()}
    graph = Graph.read(loss)
    topology = graph.topology({index: names[id(leaf)] for index, leaf in graph.leaves()})
    assert str(topology) == "\n".join(
        [
            "   0  NllLossBackward0 scalar → 1",
            "   1  LogSoftmaxBackward0 5×2 → 2",
            "   2  AddmmBackward0 5×2 → 7 → 4 → 3",
            "   3  TBackward0 3×2 → 8",
            "   4  ReluBackward0 5×3 → 5",
            "   5  AddmmBackward0 5×3 → 9 → 6",
            "   6  TBackward0 4×3 → 10",
            "   7  AccumulateGrad 2 2.bias",
            "   8  AccumulateGrad 2×3 2.weight",
            "   9  AccumulateGrad 3 0.bias",
            "  10  AccumulateGrad 3×4 0.weight",
        ]
    )
    assert repr(graph) == "Graph(11 operations, 1 roots)"


def test_an_operation_prints_where_it_came_from():
    operation = Operation("TanhBackward0", ((2, 3), ()), ("float32", "float32"), "encoder.0", "train.py:41")
    assert str(operation) == "TanhBackward0 2×3 scalar encoder.0 (train.py:41)"


@given(forked_losses())
def test_senders_stand_before_receivers(made):
    topology = Graph.read(made[0]).topology()
    assert all(edge.sender < edge.receiver for edge in topology.edges)
    assert len({op.name for op in topology.operations if op.name == "AccumulateGrad"}) <= 1


def test_in_place_writes_that_record_out_of_order_are_put_in_order():
    a, b = torch.ones(4, requires_grad=True), torch.ones(2, requires_grad=True)
    base = a * 1
    view = base[:2]
    view.mul_(b)
    topology = Graph.read(view.exp().sum() + base.sum()).topology()
    assert all(edge.sender < edge.receiver for edge in topology.edges)


def test_shapes_dtypes_and_roots_are_told_of_every_output():
    left, right = torch.ones(4, dtype=torch.float64, requires_grad=True).split([1, 3])
    topology = Graph.read([right, left]).topology()
    assert topology.operations[0] == Operation("SplitWithSizesBackward0", ((1,), (3,)), ("float64", "float64"))
    assert topology.roots == ((0, 1), (0, 0))


def test_a_topology_outlives_the_tensors_and_compares():
    first, second = (Graph.read(torch.ones(2, requires_grad=True).exp().sum()).topology() for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)


def test_a_detached_output_is_refused_with_what_may_have_detached_it():
    a = torch.ones(2, requires_grad=True)
    with pytest.raises(GraphError, match=r"does not require a gradient\n.*\n.*torch.no_grad\(\), detached"):
        Graph.read(a.sum().detach())
