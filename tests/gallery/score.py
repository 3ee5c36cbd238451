"""Final metrics of a training."""

import torch


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return matches(model(x), y)


def matches(scores, y):
    return (scores.argmax(-1) == y).float().mean().item()


def hits(scores, y, threshold=0.0):
    """Share of binary labels on the right side of the threshold."""
    return ((scores.detach().flatten() > threshold) == y.flatten().bool()).float().mean().item()
