"""A fused recurrent layer is a twin of the same layer computed step by step, whatever travels backward."""

from contextlib import contextmanager

import pytest
import torch
from torch import nn

import undertow
from undertow.engine.algebras import Bounds, Gradient, Magnitude, MaxProduct
from undertow.engine.graph import Graph
from undertow.engine.maps import Recurrence
from undertow.engine.sweep import sweep

FUSED = "MkldnnRnnLayerBackward0"


@contextmanager
def onednn(enabled):
    """The library whose kernel fuses the steps, on or off; by the setter, since PyTorch's own samples lock the flag."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(enabled)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


def swept(layer, inputs, state, algebra, *, fused, of):
    """What reaches parameters and inputs from some of the results, with or without the fused kernel."""
    leaves = [*layer.parameters(), inputs, *state]
    with onednn(fused):
        outputs, (h, c) = layer(inputs, state)
    roots = [{"outputs": outputs, "h": h, "c": c}[name] for name in of]
    graph = Graph.read(roots)
    assert any(type(node).__name__ == FUSED for node in graph.nodes) == fused
    found = {}
    arrivals = {i: lambda parts, leaf=leaf: found.__setitem__(leaf, parts[0]) for i, leaf in graph.leaves()}
    with torch.no_grad():
        seeds = [algebra.seed(torch.linspace(0.5, 1, root.numel()).reshape(root.shape)) for root in roots]
        assert not sweep(graph, seeds, algebra, arrivals)
    return [parts(found[leaf]) for leaf in leaves]


def parts(arrived):
    """What can be compared: a bound on rounding depends on how the steps are grouped, what it bounds does not."""
    return (arrived.gradient, arrived.magnitude) if isinstance(arrived, Bounds) else arrived


@pytest.mark.parametrize("of", [("outputs",), ("h",), ("c",), ("outputs", "h", "c")], ids="+".join)
@pytest.mark.parametrize("algebra", [Gradient(), Magnitude(), MaxProduct()], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}], ids=["plain", "both ways"])
def test_what_travels_through_a_fused_layer_is_what_travels_through_its_steps(of, algebra, options):
    torch.manual_seed(0)
    layer = nn.LSTM(3, 4, **options)
    ways = 4 if options else 1
    inputs, *state = (torch.randn(s).requires_grad_() for s in ((7, 2, 3), (ways, 2, 4), (ways, 2, 4)))
    fused, stepwise = (swept(layer, inputs, state, algebra, fused=fused, of=of) for fused in (True, False))
    torch.testing.assert_close(fused, stepwise, rtol=1e-4, atol=1e-6)


def test_the_steps_of_a_fused_layer_are_gone_through_once_for_all_that_is_wanted(monkeypatch):
    sweeps, strongest = [], Recurrence.strongest
    monkeypatch.setattr(Recurrence, "strongest", lambda steps, c: sweeps.append(steps) or strongest(steps, c))
    inputs, *state = (torch.randn(s).requires_grad_() for s in ((7, 2, 3), (1, 2, 4), (1, 2, 4)))
    swept(nn.LSTM(3, 4), inputs, state, MaxProduct(), fused=True, of=["outputs"])
    assert len(sweeps) == 1


def test_without_the_fused_kernel_time_steps_are_operations_of_the_flow():
    layer = nn.LSTM(3, 4)
    with onednn(False):
        outputs, _ = layer(torch.randn(50, 2, 3))
    flow = undertow.backward(outputs.sum(), calculus=undertow.CALCULUS)
    names = [operation.name for operation in flow.topology.operations]
    assert FUSED not in names
    assert names.count("TanhBackward0") == 100
