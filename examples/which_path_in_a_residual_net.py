"""Which path did the gradient take? In a residual net each block offers it a skip and a branch."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.branch = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x):
        return x + self.branch(x)


model = nn.Sequential(nn.Linear(64, 64), *(Block(64) for _ in range(4)), nn.Linear(64, 10))
flow = undertow.backward(cross_entropy(model(images[:128]), labels[:128]), model=model)

print("share of the first layer's gradient that came through the branch of each block")
through, operations = flow.through("0.weight"), flow.topology.operations
branches = [index for index, operation in enumerate(operations) if operation.name == "GeluBackward0"]
for block, index in enumerate(reversed(branches), start=1):
    print(f"    block {block}: {through.get(index, 0):6.1%}")

print("the routes by which most of it came")
for route in flow.routes("0.weight"):
    crossed = [block for block, index in enumerate(reversed(branches), start=1) if index in route.operations]
    print(f"    {route.share:6.1%} by {'the branches of blocks ' + str(crossed) if crossed else 'skips alone'}")
