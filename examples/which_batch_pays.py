"""Which batch size pays? Steps with other batches, foretold from the noise of one run, beside what they take."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow
from undertow.noise import NoiseOfRun

OWN, RATE, TARGET = 32, 0.5, 0.3

digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)


def train(batch, rate, every=0):
    """Steps until the loss over all data is the target, and the noise of every so many batches."""
    torch.manual_seed(0)
    model, told, step = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)), [], 0
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    while cross_entropy(model(images), labels) > TARGET:
        chosen = torch.randint(len(images), (batch,))
        losses = cross_entropy(model(images[chosen]), labels[chosen], reduction="none")
        if every and step % every == 0:
            told.append(undertow.gradient_noise(losses, model))
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        step += 1
    return step, told


steps, told = train(OWN, RATE, every=3)
run = NoiseOfRun(range(0, steps, 3), told, steps)
print(f"with batches of {OWN} the target takes {steps} steps")
for first, noise in run.windows():
    low, high = noise.pays_until()
    print(
        f"    from step {first}: doubling the batch saves a quarter of the steps up to {low:.0f} to {high:.0f} examples"
    )

scale = sum(noise.noise.value for _, noise in run.windows()) / sum(noise.signal.value for _, noise in run.windows())
for batch in (4, 8, 128, 512):
    rate = RATE * (1 + scale / OWN) / (1 + scale / batch)  # what is best for a batch grows as its steps' worth
    taken, _ = train(batch, rate)
    low, high = run.steps(batch).interval()
    print(f"batch {batch:3}: foretold {low:.0f} to {high:.0f} steps, {taken} taken ({taken * batch} examples)")
