"""Train by Undertow's own backpropagation: it computes the gradients, torch.optim moves the weights."""

from functools import partial

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


def apart(one, other):
    return max((a - b).abs().max().item() for a, b in zip(one.parameters(), other.parameters(), strict=True))


theirs, _ = train(torch.Tensor.backward)
borrowed, loss = train(undertow.backward)
stated, _ = train(partial(undertow.backward, calculus=undertow.CALCULUS))
print(f"loss after 200 steps: {loss:.4f}")
print("largest difference to the weights that loss.backward() leads to")
print(f"    with derivatives borrowed from PyTorch: {apart(borrowed, theirs):.1e}")
print(f"    with derivatives of our own:            {apart(stated, theirs):.1e}")
