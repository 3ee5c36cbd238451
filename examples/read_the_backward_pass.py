"""Read the backward pass of a network as Python, check it, and change it."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32)[:64], torch.tensor(digits.target)[:64]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.fc1, self.fc2, self.head = (
            nn.Linear(64, 32),
            nn.Linear(32, 32),
            nn.Linear(32, 32),
            nn.Linear(32, 10),
        )

    def forward(self, x):
        x = self.into(x)
        return self.head(x + self.fc2(self.fc1(x).relu()))


net = Net()
derived = undertow.derive(net, cross_entropy, (images, labels))
print(derived)

cross_entropy(net(images), labels).backward()
gradients = derived()
furthest = max(float((gradients[name] - parameter.grad).abs().max()) for name, parameter in net.named_parameters())
print(f"furthest from the gradients of loss.backward(): {furthest:.1e}")

# What would reach the first layer if the branch passed nothing back?
skip = derived.edited(derived.source.replace("d_into = d_add + d_into_via_fc1", "d_into = d_add"))
by_skip = skip()
alike = torch.cosine_similarity(by_skip["into.weight"].flatten(), gradients["into.weight"].flatten(), dim=0)
print(f"cosine of the first layer's gradient with what the skip alone brings: {alike:.3f}")
