"""Why does it not learn? Observe the training from inside the program, and ask."""

from tempfile import TemporaryDirectory

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)

# CrossEntropyLoss applies a softmax itself, so this network has one too many.
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softmax(dim=1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

with TemporaryDirectory() as folder:
    with undertow.observe(store=folder) as run:
        for _ in range(300):
            batch = torch.randint(len(images), (32,))
            optimizer.zero_grad()
            cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()

    review = run.review()

print(review.verdict)
print(review.summary)
if review.cause:
    print("where: ", review.cause.module, review.cause.operation, review.cause.source)
    print("advice:", review.cause.advice)
