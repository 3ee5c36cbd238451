"""Where did the gradient go? Sweep one batch backward, and account for every decade that was lost."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)


def account(name, activation):
    layers = [layer for _ in range(8) for layer in (nn.Linear(64, 64), activation())]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    flow = undertow.backward(cross_entropy(model(images[:128]), labels[:128]), model=model)

    account = flow.attribute("0.weight")
    print(f"{name}: the gradient of the first layer has {account.total:+.1f} decades of its size at the loss")
    for operation, decades in account.by_operation().items():
        print(f"    {decades:+6.2f}  {operation}")
    print(f"    {sum(account.by_operation().values()):+6.2f}  in all")


account("sigmoid", nn.Sigmoid)
account("tanh", nn.Tanh)
account("ReLU", nn.ReLU)
