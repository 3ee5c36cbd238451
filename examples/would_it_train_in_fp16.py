"""Would this model train in fp16? Whether its gradients survive, and with which loss scale; then the proof."""

from textwrap import indent

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)


def classified(model):
    return cross_entropy(model(images.to(model[0].weight.dtype)).float(), labels)


def restored(model):
    """How far the images that come out are off, in a unit in which that is a small number."""
    return mse_loss(model(images.to(model[0].weight.dtype)).float() / 1000, images / 1000)


def sigmoids(depth):
    return nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(64, 64), nn.Sigmoid())), nn.Linear(64, 10))


TASKS = {
    "a classifier": (nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)), classified),
    "an autoencoder whose loss is small": (nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 64)), restored),
    "16 layers of sigmoids": (sigmoids(16), classified),
}

for name, (model, loss_of) in TASKS.items():
    print(f"{name}:")
    for dtype in (torch.float16, torch.bfloat16, torch.float8_e5m2):
        print(indent(str(undertow.precision(loss_of(model), dtype, model=model)), "    "))
    found = undertow.precision(loss_of(model), torch.float16, model=model)

    model.half()  # weights, activations and gradients all in fp16
    for scale in sorted({1.0, found.tried}):
        model.zero_grad()
        (loss_of(model) * scale).backward()
        lost = [(p.grad == 0) & (found.gradients[name].exact != 0) for name, p in model.named_parameters()]
        share = torch.cat([entries.flatten() for entries in lost]).double().mean()
        print(f"    a real pass in float16, loss scale {scale:g}: {share:.1%} of all entries lost to zero")
