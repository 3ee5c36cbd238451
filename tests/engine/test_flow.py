"""What a flow says must add up exactly."""

import math

import pytest
import torch
from hypothesis import assume, given
from torch import nn

import undertow
from tests.engine.test_backward import NETS, dense
from tests.samples import SAMPLES
from tests.strategies import forked_losses
from undertow.engine.algebras import Gradient, Magnitude
from undertow.engine.borrowed import vector_jacobian
from undertow.engine.flow import Flow
from undertow.engine.graph import Graph, Operation
from undertow.engine.graph_task import in_graph_task
from undertow.engine.plan import ISOMETRIES, Plan
from undertow.engine.recorder import Recorder, norm
from undertow.engine.sweep import sweep


def exact(total: float, parts: float) -> bool:
    return parts == pytest.approx(total, abs=1e-9)


def leaf_indices(flow):
    return [i for i, op in enumerate(flow.topology.operations) if op.name == "AccumulateGrad"]


@given(forked_losses())
def test_decay_attribution_adds_up_exactly(made):
    flow = undertow.backward(made[0])
    reached = [i for i in leaf_indices(flow) if flow.cotangents[i]]
    assume(reached)
    for target in reached:
        told = flow.attribute(target)
        assert exact(told.total, sum(told.gains.values()) + sum(told.interferences.values()))
        assert exact(told.total, math.log10(flow.cotangents[target]))  # the loss itself starts at 1
        for grouping in (told.by_operation(), told.by_module(), told.by_source()):
            assert exact(told.total, sum(grouping.values()))


@given(forked_losses())
def test_shares_of_what_reaches_an_operation_sum_to_one(made):
    flow = undertow.backward(made[0])
    for index in range(len(flow.topology)):
        if flow.arriving[index] and any(flow.contributions[edge] for edge in flow.arriving[index]):
            assert sum(flow.share(edge) for edge in flow.arriving[index]) == pytest.approx(1)


@given(forked_losses())
def test_all_weight_that_leaves_a_parameter_reaches_the_loss(made):
    flow = undertow.backward(made[0])
    for target in leaf_indices(flow):
        if flow.cotangents[target]:
            assert flow.through(target)[0] == pytest.approx(1)


@given(forked_losses())
def test_routes_are_paths_whose_shares_are_no_more_than_all(made):
    flow = undertow.backward(made[0])
    connected = {(edge.sender, edge.receiver) for edge in flow.topology.edges}
    for target in leaf_indices(flow):
        routes = flow.routes(target, most=1000)
        assert not routes or sum(route.share for route in routes) == pytest.approx(1, abs=1e-3)
        for route in routes:
            assert (route.operations[0], route.operations[-1]) == (0, target)
            assert set(zip(route.operations, route.operations[1:], strict=False)) <= connected


@given(forked_losses())
def test_recorded_norms_are_those_of_the_gradients(made):
    loss, leaves = made
    graph = Graph.read(loss)
    known = {leaf: str(number) for number, leaf in enumerate(leaves)}
    names = {index: known[leaf] for index, leaf in graph.leaves()}
    recorder = Recorder(Plan(graph.topology(names)))
    arrived = {}
    places = {i: (lambda c, name=name: arrived.update({name: c[0]})) for i, name in names.items()}
    borrowed = in_graph_task(lambda: sweep(graph, [torch.ones_like(loss)], Gradient(), places, watcher=recorder))
    flow = Flow(recorder.plan, recorder.values(), [1.0], borrowed)
    for name, index in flow.topology.leaves().items():
        size = 0.0 if arrived[name] is None else float(arrived[name].norm())
        assert flow.cotangents[index] == pytest.approx(size, rel=1e-9)


class Everything:
    """A watcher that measures all there is, itself."""

    def __init__(self, graph):
        self.concerns = [True] * len(graph)
        self.parts = {}
        self.received = {}

    def saw(self, index, contributions, cotangents):
        self.received[index] = math.hypot(*[float(c.norm()) for c in cotangents if c is not None])
        for position, part in enumerate(contributions):
            if part is not None:
                self.parts[index, position] = float(part.norm())


def shuffled():
    """Moves of every kind, tensors handed on as they are, and paths that meet."""
    x = torch.linspace(-1, 1, 48, dtype=torch.float64).reshape(4, 12).requires_grad_()
    left, right = (x * x).split(6, 1)
    one, two = torch.stack([left + right, left.roll(1, 0) - right.flip(1)]).unbind()
    kept = (one + two) + (one * two + 0.0)
    return ((kept.T + kept.mT).reshape(6, 2, 2).permute(2, 0, 1) + 1).sin().sum()


@pytest.mark.parametrize("calculus", [{}, undertow.CALCULUS], ids=["borrowed", "ours"])
@pytest.mark.parametrize("made", [shuffled, *(lambda n=n: NETS[n](torch.float64)[0] for n in NETS)])
def test_what_is_not_measured_has_the_norm_that_is_told(made, calculus):
    loss = made()
    flow = undertow.backward(loss, calculus=calculus, retain_graph=True)
    graph = Graph.read(loss)
    watcher = Everything(graph)
    arrivals = {index: lambda _: None for index, _ in graph.leaves()}
    in_graph_task(
        lambda: sweep(graph, [torch.ones_like(loss)], Gradient(), arrivals, watcher=watcher, calculus=calculus)
    )
    told = {(e.sender, e.position): size for e, size in zip(flow.topology.edges, flow.contributions, strict=True)}
    assert {key: size for key, size in told.items() if size} == pytest.approx(
        {key: size for key, size in watcher.parts.items() if size}
    )
    assert flow.cotangents == pytest.approx([watcher.received.get(index, 0.0) for index in range(len(graph))])


@pytest.mark.parametrize("name", sorted(ISOMETRIES & set(SAMPLES)))
def test_what_counts_as_an_isometry_keeps_the_norm_of_all_it_receives(name):
    for sample in SAMPLES[name]:
        for node in sample.nodes(name):
            received = [torch.randn(tuple(out.shape), dtype=out.dtype) for out in node._input_metadata]
            (sent,) = vector_jacobian(node, received)
            assert float(sent.norm()) == pytest.approx(math.hypot(*(float(c.norm()) for c in received)), rel=1e-5)


@given(forked_losses())
def test_the_magnitude_bounds_the_gradient_entry_by_entry(made):
    loss, _ = made
    found = {algebra: cotangents_at_leaves(loss, algebra) for algebra in (Gradient(), Magnitude())}
    gradients, bounds = found.values()
    assert set(gradients) == set(bounds)
    for index, gradient in gradients.items():
        assert (gradient.abs() <= bounds[index].magnitude * (1 + 1e-9) + 1e-12).all()


def cotangents_at_leaves(loss, algebra):
    graph, arrived = Graph.read(loss), {}
    places = {i: (lambda c, i=i: arrived.update({i: c[0]})) for i, _ in graph.leaves()}
    in_graph_task(lambda: sweep(graph, [algebra.seed(torch.ones_like(loss))], algebra, places))
    return {i: c for i, c in arrived.items() if c is not None}


def test_the_magnitude_is_the_gradient_where_nothing_cancels_and_more_where_something_does():
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    (together,) = cotangents_at_leaves((a * 3 + a * 2).sum(), Magnitude()).values()
    (apart,) = cotangents_at_leaves((a * 3 - a * 2).sum(), Magnitude()).values()
    assert together.magnitude.tolist() == apart.magnitude.tolist() == [5.0, 5.0]
    assert (together.cancellation, apart.cancellation) == (1.0, 0.2)


@pytest.mark.parametrize("net", ["MLP", "CNN", "GPT"])
def test_the_magnitude_bounds_the_gradient_of_usual_nets(net):
    loss, _ = NETS[net](torch.float64)
    gradients, bounds = cotangents_at_leaves(loss, Gradient()), cotangents_at_leaves(loss, Magnitude())
    assert len(gradients) > 5
    assert all((g.abs() <= bounds[i].magnitude * (1 + 1e-9)).all() for i, g in gradients.items())


@pytest.mark.parametrize("net", NETS)
def test_decay_attribution_adds_up_for_every_parameter_of_usual_nets(net):
    loss, _ = NETS[net](torch.float64)
    flow = undertow.backward(loss)
    targets = [i for i in leaf_indices(flow) if flow.cotangents[i]]
    assert len(targets) > 5
    for target in targets:
        told = flow.attribute(target)
        assert exact(told.total, sum(told.gains.values()) + sum(told.interferences.values()))


def test_sigmoids_are_named_where_they_took_the_decades():
    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Linear(32, 32), nn.Sigmoid())]
    model = nn.Sequential(*layers)
    flow = undertow.backward(model(torch.randn(16, 32)).sum(), model=model)
    told = flow.attribute("0.weight")
    worst, decades = next(iter(told.by_operation().items()))
    assert worst == "SigmoidBackward0"
    assert decades < told.total / 2 < -2


def test_a_skip_and_its_branch_share_what_arrives():
    a = torch.ones(2, requires_grad=True)
    stream = a.clone()
    flow = undertow.backward((stream + 3 * stream).sum())
    fork = next(i for i, op in enumerate(flow.topology.operations) if op.name == "CloneBackward0")
    assert sorted(flow.share(edge) for edge in flow.arriving[fork]) == pytest.approx([0.1, 0.9])
    assert flow.interference(fork) == pytest.approx(math.log10(4) - 0.9 * math.log10(3))


def test_paths_that_cancel_exactly_attribute_nothing():
    a = torch.ones(2, requires_grad=True)
    flow = undertow.backward((a - a).sum())
    told = flow.attribute(leaf_indices(flow)[0])
    assert told.total == -math.inf
    assert told.gains == {}
    assert flow.interference(leaf_indices(flow)[0]) == -math.inf


def test_several_seeds_are_accounted_for():
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    hidden = a * 2
    flow = undertow.backward([hidden.exp(), hidden], [torch.ones(2), torch.full((2,), 5.0)])
    told = flow.attribute(leaf_indices(flow)[0])
    assert exact(told.total, sum(told.gains.values()) + sum(told.interferences.values()))
    assert list(flow.seeds) == pytest.approx([math.sqrt(2), 5 * math.sqrt(2)])


def test_an_unknown_parameter_is_refused_with_those_there_are():
    model = dense(2, 2)
    flow = undertow.backward(model(torch.ones(1, 2)).sum(), model=model)
    with pytest.raises(
        KeyError, match=r"no parameter 'mine' received a gradient in this pass; these did: 0\.bias, 0\.we"
    ):
        flow.attribute("mine")


def test_a_flow_scaled_by_a_loss_scale_tells_unscaled_norms():
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    plain = undertow.backward((a**2).sum())
    scaled = undertow.backward((a**2).sum() * 1024)
    unscaled = Flow(scaled.plan, scaled.values, scaled.seeds, scale=1024)
    assert unscaled.cotangents[-1] == pytest.approx(plain.cotangents[-1])


@pytest.mark.parametrize("size", [1e-30, 1e-18, 1.0, 1e18, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_norms_hold_where_squares_leave_the_range_of_float32(size, dtype):
    assert norm(torch.full((3, 3), size, dtype=dtype)) == pytest.approx(3 * size, rel=1e-2)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_norm_is_not_finite_if_one_entry_is_not(bad):
    assert not math.isfinite(norm(torch.tensor([1.0, bad])))


def test_norms_of_sparse_tensors_add_up_what_is_stored_twice():
    twice = torch.sparse_coo_tensor([[0, 0]], torch.tensor([3.0, 4.0]), (2,), check_invariants=True)
    assert norm(twice) == 7.0


def test_graphs_alike_share_a_plan_and_graphs_of_other_shapes_do_not():
    model = dense(4, 4, 2)
    plans = [undertow.backward(model(torch.ones(n, 4)).sum()).plan for n in (2, 2, 3)]
    assert plans[0] is plans[1]
    assert plans[0] is not plans[2]
    assert plans[2].topology.operations[1].shapes == ((3, 2),)
    wide = undertow.backward(model.double()(torch.ones(2, 4, dtype=torch.float64)).sum()).plan
    assert wide.topology.operations[1].dtypes == ("float64",)


def test_operations_can_be_renamed_without_touching_the_measures():
    flow = undertow.backward((torch.ones(2, requires_grad=True) * 2).sum())
    named = flow.topology.named(lambda i, op: Operation(op.name, op.shapes, op.dtypes, module=f"layer{i}"))
    assert [op.module for op in named.operations] == ["layer0", "layer1", "layer2"]
    assert named.edges == flow.topology.edges
