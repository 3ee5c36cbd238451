"""Train by Undertow's own backpropagation: it computes the gradients, torch.optim moves the weights."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow

digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)


def train(backward):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(200):
        batch = torch.randint(len(images), (64,))
        optimizer.zero_grad()
        loss = cross_entropy(model(images[batch]), labels[batch])
        backward(loss)
        optimizer.step()
    return model, loss.item()


ours, loss = train(undertow.backward)
theirs, _ = train(torch.Tensor.backward)
apart = max((a - b).abs().max().item() for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
print(f"loss after 200 steps: {loss:.4f}")
print(f"largest difference to weights trained by loss.backward(): {apart:.1e}")
