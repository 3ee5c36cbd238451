"""Loops that lose the backward pass, the step or the zeroing, and optimizers that hold other parameters."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy, matches
from ..table import sick
from .data import bars, high_digits, hires, low_digits, sensors, spirals


@sick(
    "UT303",
    split="fresh",
    note="an inverted modulo: the gradients are zeroed on every fiftieth step only",
    cured=(("step % 50 == 0", "step % 50 >= 0"),),
)
def zeroed_every_fiftieth_step():
    torch.manual_seed(0)
    x, y = bars()
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for step in range(300):
        i = torch.randint(900, (30,))
        if step % 50 == 0:
            opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"error": F.cross_entropy(net(x), y).item()}


@sick(
    "UT303",
    split="fresh",
    note="a closure for LBFGS that does not zero the gradients",
    cured=(("        loss = F.mse_loss(net(x)", "        opt.zero_grad()\n        loss = F.mse_loss(net(x)"),),
)
def closure_without_zeroing():
    torch.manual_seed(1)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=10)

    def closure():
        loss = F.mse_loss(net(x).squeeze(1), y)
        loss.backward()
        return loss

    for _ in range(15):
        opt.step(closure)
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT304",
    split="fresh",
    note="load_state_dict(assign=True) after the optimizer was made: it holds the old tensors",
    cured=((", assign=True", ""),),
)
def assigned_after_the_optimizer():
    torch.manual_seed(2)
    x, y = sensors()

    def make():
        return nn.Sequential(nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 3))

    net = make()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    net.load_state_dict(make().state_dict(), assign=True)
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT304",
    split="fresh",
    note="weight normalisation applied after the optimizer was made",
    cured=(("    weight_norm(net[0])\n    weight_norm(net[2])\n", ""),),
)
def weight_norm_after_the_optimizer():
    weight_norm = nn.utils.parametrizations.weight_norm
    torch.manual_seed(3)
    x, y = spirals()
    net = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 3))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    weight_norm(net[0])
    weight_norm(net[2])
    for epoch in range(40):
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT304",
    split="fresh",
    note="the classes' directions belong to a margin loss, whose parameters no optimizer was given",
    cured=(("Adam(net.parameters(), lr", "Adam([*net.parameters(), *margin.parameters()], lr"),),
)
def directions_of_the_loss_forgotten():
    class Margin(nn.Module):
        def __init__(self):
            super().__init__()
            self.directions = nn.Parameter(torch.randn(10, 3))

        def forward(self, z, y):
            cosine = F.normalize(z) @ F.normalize(self.directions).T
            return F.cross_entropy(10 * (cosine - 0.2 * F.one_hot(y, 10)), y), cosine

    torch.manual_seed(4)
    x, y = digits()
    net, margin = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3)), Margin()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss, _ = margin(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": margin(net(x), y)[0].item()}


@sick(
    "UT304",
    split="fresh",
    note="the optimizer of the feature extraction goes on after the trunk was thawed",
    cured=(("trained = net[-1].parameters()", "trained = net.parameters()"),),
)
def optimizer_of_the_head_kept():
    torch.manual_seed(5)
    x, y = high_digits()
    net = nn.Sequential(nn.Linear(64, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 5))
    first = torch.optim.Adam(net.parameters(), lr=2e-3)
    a, b = low_digits()
    for step in range(200):
        i = torch.randint(len(a), (32,))
        first.zero_grad()
        F.cross_entropy(net(a[i]), b[i]).backward()
        first.step()
    net[-1] = nn.Linear(10, 5)
    trained = net[-1].parameters()
    opt = torch.optim.Adam(trained, lr=2e-3)
    net.requires_grad_(True)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT305",
    split="fresh",
    note="loss.backward without its parentheses",
    cured=(("loss.backward  # noqa: B018", "loss.backward()"),),
)
def backward_without_parentheses():
    torch.manual_seed(6)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(6):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward  # noqa: B018
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT306",
    split="fresh",
    note="accumulation over 64 batches in epochs of 30, and the gradients dropped when an epoch begins",
    cured=(("% 64 == 0", "% 2 == 0"),),
)
def accumulates_longer_than_an_epoch():
    torch.manual_seed(7)
    x, y = bars()
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4))
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(8):
        opt.zero_grad()
        for step, (xb, yb) in enumerate(DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True), 1):
            loss = F.cross_entropy(net(xb), yb) / 2
            loss.backward()
            if step % 64 == 0:
                opt.step()
                opt.zero_grad()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT306",
    split="fresh",
    note="a gradient step by hand was half removed: the norms are logged, the optimizer made, nothing moves",
    cured=(("            norms.append", "            p.data -= 0.1 * g\n            norms.append"),),
)
def gradients_for_the_log_only():
    torch.manual_seed(8)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    norms = []
    for step in range(400):
        i = torch.randint(len(x), (50,))
        opt.zero_grad()
        loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
        loss.backward()
        for p, g in zip(net.parameters(), [p.grad for p in net.parameters()]):
            norms.append(g.norm().item())
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT307",
    split="fresh",
    note="a method that validates in the middle of the step calls zero_grad on the model",
    cured=(("            self.net.zero_grad()\n", ""),),
)
def zeroed_by_the_validation():
    class Trainer:
        def __init__(self, net):
            self.net, self.opt = net, torch.optim.Adam(net.parameters(), lr=2e-3)

        def validate(self, x, y):
            self.net.eval()
            self.net.zero_grad()
            with torch.no_grad():
                found = matches(self.net(x), y)
            self.net.train()
            return found

        def step(self, x, y):
            loss = F.cross_entropy(self.net(x), y)
            loss.backward()
            self.validate(x, y)
            self.opt.step()
            self.opt.zero_grad()

    torch.manual_seed(9)
    x, y = sensors()
    trainer = Trainer(nn.Sequential(nn.Flatten(), nn.Linear(144, 24), nn.LeakyReLU(), nn.Linear(24, 3)))
    for epoch in range(10):
        for i in torch.randperm(600).split(30):
            trainer.step(x[i], y[i])
    return {"accuracy": trainer.validate(x, y)}
