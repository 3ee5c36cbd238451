"""The loss around a trained network, with the way it came, and the barrier to another solution."""

from pathlib import Path
from tempfile import mkdtemp

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow
from undertow.landscape import Evaluation, principal, spanning
from undertow.show import write_landscape

digits = load_digits()
inputs, labels = torch.tensor(digits.data / 16).float(), torch.tensor(digits.target)
batch = inputs[:600], labels[:600]


def train(seed):
    """A trained network, and a checkpoint of every tenth step."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    checkpoints = []
    for step in range(120):
        if step % 10 == 0:
            checkpoints.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        chosen = torch.randint(len(inputs), (128,))
        optimizer.zero_grad()
        cross_entropy(model(inputs[chosen]), labels[chosen]).backward()
        optimizer.step()
    return model, checkpoints


model, checkpoints = train(0)
folder = Path(mkdtemp())

# Along the two directions in which the run spread most, wide enough for all of it.
directions, shares = principal(model, checkpoints)
grids = spanning(model, directions, checkpoints)
seen = undertow.landscape(model, cross_entropy, batch, directions, grids, Evaluation(tolerance=1e-3))
track = seen.track([*checkpoints, model.state_dict()])
print(seen, "holding", f"{sum(shares):.0%} of the run's spread; the least is at", seen.minimum)
print("drawn in", write_landscape(seen, folder / "trajectory.html", track))

# Along two random directions, each filter as long as the network's own.
around = undertow.landscape(model, cross_entropy, batch, how=Evaluation(tolerance=1e-3))
print("drawn in", write_landscape(around, folder / "random.html"))

# And to a network that began elsewhere.
other, _ = train(1)
between = undertow.barrier(model, cross_entropy, batch, (model.state_dict(), other.state_dict()))
print(between, "drawn in", write_landscape(between, folder / "path.html"))
assert between.height > 0
