"""Modes, norms over too little, noise that is too strong, and gradients that were added up."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, standardized, wine
from ..score import accuracy
from ..table import sick
from .data_a import emblems, fabrics, houses, plant, scaled_houses


@sick(
    "UT601",
    split="blind",
    note="the loop begins with model.eval(): batch norms keep their initial statistics on inputs that are not scaled",
    cured=(("net.eval()\n", "net.train()\n"),),
)
def registry_under_a_norm():
    torch.manual_seed(1)
    x, y = houses()
    y = standardized(y)
    net = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(25):
        net.eval()
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i]).backward()
            opt.step()
    net.eval()  # for the figure
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@sick(
    "UT601",
    split="blind",
    note="the validation after each epoch sets eval, and nothing sets train again",
    cured=(("    # back to the loop", "    model.train()"),),
)
def validated_after_each_epoch():
    def validate(model, x, y):
        model.eval()
        with torch.no_grad():
            return F.cross_entropy(model(x), y).item()

    torch.manual_seed(2)
    x, y = fabrics()
    x = 255 * x
    layers, c = [], 3
    for k in range(4):
        layers += [nn.Conv2d(c, 16, 3, padding=1, stride=1 + k % 2), nn.BatchNorm2d(16), nn.ReLU()]
        c = 16
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 6))
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(12):
        validate(model, x[500:], y[500:])
        # back to the loop
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            F.cross_entropy(model(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(model, x[500:], y[500:])}


@sick(
    "UT602",
    split="blind",
    note="batch norm over batches of two",
    cured=(("split(2)", "split(32)"), ("range(4)", "range(20)")),
)
def prices_two_at_a_time():
    torch.manual_seed(3)
    x, y = scaled_houses()
    net = nn.Sequential(
        nn.Linear(5, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 1),
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(4):
        net.train()
        for i in torch.randperm(600).split(2):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i]).backward()
            opt.step()
    net.eval()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@sick(
    "UT602",
    split="blind",
    note="a group norm with as many groups as channels, after the picture was pooled to one pixel",
    cured=(("nn.GroupNorm(24, 24)", "nn.GroupNorm(2, 24)"),),
)
def norm_after_the_pool():
    torch.manual_seed(4)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3),
        nn.ReLU(),
        nn.Conv2d(16, 24, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.GroupNorm(24, 24),
        nn.Flatten(),
        nn.Linear(24, 10),
    )
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT602",
    split="blind",
    note="batch norm over one picture at a time, whose last map has two by two pixels",
    cured=(("size = 1", "size = 25"), ("lr=1e-3", "lr=5e-3")),
)
def one_picture_at_a_time():
    torch.manual_seed(5)
    x, y = fabrics()
    size = 1
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 6),
    )
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(4):
        net.train()
        for i in torch.randperm(600).split(size):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT603",
    split="blind",
    note="dropout of 0.95, where it was meant to keep 0.95, in three layers",
    cured=(("nn.Dropout(0.95)", "nn.Dropout(0.05)"),),
)
def keep_probability():
    def layer(a, b):
        return nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Dropout(0.95))

    torch.manual_seed(6)
    x, y = digits()
    net = nn.Sequential(layer(64, 64), layer(64, 64), layer(64, 64), nn.Linear(64, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(15):
        net.train()
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT603",
    split="blind",
    note="dropout of 0.8 on the six readings themselves, which a regression needs",
    cured=(("F.dropout(x, 0.8", "F.dropout(x, 0.0"),),
)
def readings_left_out():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(6, 48), nn.Linear(48, 48), nn.Linear(48, 1)

        def forward(self, x):
            x = F.dropout(x, 0.8, self.training)
            return self.c(F.silu(self.b(F.silu(self.a(x)))))

    torch.manual_seed(7)
    x, made, _ = plant()
    net = Net()
    opt = torch.optim.NAdam(net.parameters(), lr=3e-3)
    for epoch in range(40):
        net.train()
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]), made[i]).backward()
            opt.step()
    net.eval()
    return {"error": F.mse_loss(net(x), made).item()}


@sick(
    "UT603",
    split="blind",
    note="dropout of 0.9 over the eight numbers of a code, for reconstruction",
    cured=(("nn.Dropout(p=0.9)", "nn.Dropout(p=0.0)"),),
)
def code_with_holes():
    torch.manual_seed(8)
    x, _ = digits()
    net = nn.Sequential(
        nn.Linear(64, 48),
        nn.ReLU(),
        nn.Linear(48, 8),
        nn.Dropout(p=0.9),
        nn.Linear(8, 48),
        nn.ReLU(),
        nn.Linear(48, 64),
    )
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(20):
        net.train()
        for (batch,) in DataLoader(TensorDataset(x), batch_size=64, shuffle=True):
            opt.zero_grad()
            F.mse_loss(net(batch), batch).backward()
            opt.step()
    net.eval()
    return {"error": F.mse_loss(net(x), x).item()}


@sick(
    "UT604",
    split="blind",
    note="sixteen micro-batches are added up under SGD, and not divided",
    cured=(("loss.backward()", "(loss / accumulate).backward()"),),
)
def emblems_in_micro_batches():
    torch.manual_seed(9)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4)
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    accumulate = 16
    for epoch in range(25):
        for k, i in enumerate(torch.randperm(896).split(7)):
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            if (k + 1) % accumulate == 0:
                opt.step()
                opt.zero_grad()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT604",
    split="blind",
    note="a loop with an accelerator's shape: thirty-two micro-batches, no division",
    cured=(("scale: float = 1.0", "scale: float = 1 / 32"),),
)
def wine_by_the_drop():
    class Loop:
        scale: float = 1.0

        def __init__(self, net, opt, every):
            self.net, self.opt, self.every, self.seen = net, opt, every, 0

        def __call__(self, xb, yb):
            loss = F.cross_entropy(self.net(xb), yb)
            (loss * self.scale).backward()
            self.seen += 1
            if self.seen % self.every == 0:
                self.opt.step()
                self.opt.zero_grad()

    torch.manual_seed(10)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 3))
    loop = Loop(net, torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9), every=32)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(2):
            loop(x[i], y[i])
    return {"error": F.cross_entropy(net(x), y).item()}
