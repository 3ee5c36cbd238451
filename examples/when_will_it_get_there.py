"""When will it get there? The loss to come with an interval, and what a target takes, held against what came."""

from tempfile import TemporaryDirectory

import torch
from sklearn.datasets import load_digits
from torch import nn

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
losses = []


def train(steps):
    for _ in range(steps):
        batch = torch.randint(len(images), (64,))
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())


with TemporaryDirectory() as folder:
    with undertow.observe(store=folder) as run:
        train(400)
    seen = run.outlook()

interval = seen.at(800)
print(
    f"after 400 steps: {interval.middle:.2f} at step 800 is to be expected, {interval.low:.2f} to {interval.high:.2f}"
)
reach = seen.reach(target=0.3, price=2.50)
print(f"a loss of 0.3: probability {reach.probability:.0%}, at step {reach.steps.low:.0f} to {reach.steps.high:.0f}")

train(400)
print(f"at step 800 it was {sum(losses[-50:]) / 50:.2f}")
