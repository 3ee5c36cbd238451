"""Limits that belong to no layer in particular."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import undertow


def swept(device, model, inputs, labels):
    """The gradients by our sweep and by PyTorch's."""
    model, inputs, labels = model.to(device), inputs.to(device), labels.to(device)
    parameters = list(model.parameters())
    theirs = torch.autograd.grad(cross_entropy(model(inputs), labels), parameters)
    flow = undertow.backward(cross_entropy(model(inputs), labels), model=model)
    return flow, [parameter.grad for parameter in parameters], theirs


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_gradients_are_pytorchs_on_a_gpu():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    _, ours, theirs = swept("cuda", model, torch.randn(32, 8), torch.randint(3, (32,)))
    torch.testing.assert_close(ours, list(theirs))


class Last(nn.Module):
    """The last output of a recurrent net, as logits."""

    def __init__(self):
        super().__init__()
        self.recurrence = nn.LSTM(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.recurrence(x)[0][:, -1])


def test_a_fused_recurrence_is_one_operation():
    torch.manual_seed(0)
    flow, ours, theirs = swept("cpu", Last(), torch.randn(4, 50, 8), torch.randint(3, (4,)))
    torch.testing.assert_close(ours, list(theirs))
    names = [operation.name for operation in flow.topology.operations]
    assert names.count("MkldnnRnnLayerBackward0") == 1, "no node for any of the 50 steps"
    assert flow.borrowed["MkldnnRnnLayerBackward0"] == 1


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN])
def test_other_recurrences_are_seen_step_by_step(kind):
    outputs, _ = kind(8, 16, batch_first=True)(torch.randn(4, 50, 8))
    names = [operation.name for operation in undertow.Graph.read(outputs.sum()).topology().operations]
    assert names.count("TanhBackward0") == 50
