"""Why a training has come to a stand: the same network, held up in three ways, and what would lead on from each."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32)[:512], torch.tensor(digits.target)[:512]
batches = [*zip(images.split(32), labels.split(32), strict=True)]


def network(activation=nn.Tanh):
    return nn.Sequential(nn.Linear(64, 32), activation(), nn.Linear(32, 10))


def tell(what, model, rate):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    print(f"{what}: {undertow.standstill(model, cross_entropy, batches, optimizer, steps=40)}\n")


tell("a rate of 1e-6", network(), 1e-6)

dead = network(nn.ReLU)
nn.init.constant_(dead[0].bias, -20.0)
dead[2].bias.data = torch.bincount(labels).float().log()
tell("every unit dead", dead, 0.1)

alike = network()
for layer in (alike[0], alike[2]):
    nn.init.zeros_(layer.weight)
alike[2].bias.data = torch.bincount(labels).float().log()
tell("weights of zero", alike, 0.1)
