"""Where was the NaN born? The first value that was not finite, its operation and its line."""

from tempfile import TemporaryDirectory

import torch
from sklearn.datasets import load_digits
from torch import nn

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data, dtype=torch.float32), torch.tensor(digits.target)
answers = nn.functional.one_hot(labels, 10)

model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10), nn.Softmax(dim=1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

with TemporaryDirectory() as folder:
    with undertow.observe(store=folder) as run:
        for _ in range(100):
            batch = torch.randint(len(images), (32,))
            chances = model(images[batch])
            loss = -(answers[batch] * chances.log()).sum(1).mean()  # log(0) is -inf, and 0 times that is NaN
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    review = run.review()
    births = [event for event in run.stored().events if event.kind == "birth"]

print(f"the loss is {loss.item()}")
for birth in births:
    print(f"born at step {birth.step} in {birth.facts['operation']}, {birth.facts['source']}")
for finding in review.findings:
    print(f"{finding.code} {finding.name}: {finding.message}")
