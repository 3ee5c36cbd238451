"""Signals that fade, grow or are cut between the loss and the first layers, in tables, pictures and graphs."""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digits
from ..score import accuracy, matches
from ..table import sick
from .data_a import emblems, fabrics, plant, rings, scaled_houses, village


@sick(
    "UT101",
    split="blind",
    note="ten sigmoid layers under plain SGD",
    cured=(("activation: type = nn.Sigmoid", "activation: type = nn.Tanh"),),
)
def ten_layers_from_a_config():
    @dataclass
    class Config:
        width: int = 64
        depth: int = 10
        activation: type = nn.Sigmoid
        lr: float = 0.02
        epochs: int = 25

    def build(cfg):
        layers, width = [], 64
        for _ in range(cfg.depth):
            layers += [nn.Linear(width, cfg.width), cfg.activation()]
            nn.init.xavier_uniform_(layers[-2].weight)
            width = cfg.width
        return nn.Sequential(*layers, nn.Linear(width, 10))

    torch.manual_seed(1)
    cfg = Config()
    x, y = digits()
    net = build(cfg)
    opt = torch.optim.SGD(net.parameters(), lr=cfg.lr, momentum=0.9)
    for epoch in range(cfg.epochs):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT101",
    split="blind",
    note="a residual net whose blocks lost their skip in a refactoring",
    cured=(("return self.body(h)", "return h + self.body(h)"),),
)
def blocks_after_the_refactoring():
    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
            for p in self.body.parameters():
                nn.init.normal_(p, std=0.05)

        def forward(self, h):
            return self.body(h)

    torch.manual_seed(2)
    x, y = scaled_houses()
    net = nn.Sequential(nn.Linear(5, 32), *[Block(32) for _ in range(8)], nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(30):
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT101",
    split="blind",
    note="seven convolutions drawn with a deviation of 0.01, as AlexNet's were, without a norm",
    cured=(("nn.init.normal_(m.weight, std=0.01)", "nn.init.kaiming_normal_(m.weight)"),),
)
def seven_convolutions_by_an_old_recipe():
    def init(m):
        if isinstance(m, nn.Conv2d):
            nn.init.normal_(m.weight, std=0.01)
            nn.init.zeros_(m.bias)

    torch.manual_seed(3)
    x, y = emblems()
    layers, c = [], 1
    for k in range(7):
        layers += [nn.Conv2d(c, 16, 3, padding=1, stride=2 if k in (2, 5) else 1), nn.ReLU()]
        c = 16
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 9, 4))
    net.apply(init)
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    for epoch in range(10):
        net.train()
        for i in torch.randperm(len(x)).split(30):
            opt.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT102",
    split="blind",
    note="twenty-four residual blocks without a norm, each adding twice what it gets",
    cured=(("scale=2.0", "scale=0.2"),),
)
def two_dozen_blocks_for_a_plant():
    class Residual(nn.Module):
        def __init__(self, scale=2.0):
            super().__init__()
            self.fc = nn.Linear(24, 24)
            nn.init.kaiming_normal_(self.fc.weight)
            self.scale = scale

        def forward(self, h):
            return h + self.scale * F.relu(self.fc(h))

    torch.manual_seed(4)
    x, made, _ = plant()
    net = nn.Sequential(nn.Linear(6, 24), *(Residual() for _ in range(24)), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]), made[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), made).item()}


@sick(
    "UT102",
    split="blind",
    note="twelve layers drawn from a standard normal by a hand-written network",
    cured=(("torch.randn(a, b)", "(torch.randn(a, b) * (2 / a) ** 0.5)"),),
)
def network_of_plain_tensors_on_rings():
    torch.manual_seed(5)
    x, y = rings()
    sizes = [2] + [24] * 12 + [3]
    weights = [torch.randn(a, b).requires_grad_() for a, b in zip(sizes, sizes[1:])]
    biases = [torch.zeros(b, requires_grad=True) for b in sizes[1:]]

    def forward(h):
        for w, b in list(zip(weights, biases))[:-1]:
            h = torch.relu(h @ w + b)
        return h @ weights[-1] + biases[-1]

    opt = torch.optim.SGD([*weights, *biases], lr=0.05)
    for step in range(600):
        i = torch.randint(600, (60,))
        opt.zero_grad()
        F.cross_entropy(forward(x[i]), y[i]).backward()
        opt.step()
    return {"accuracy": matches(forward(x), y)}


@sick(
    "UT103",
    split="blind",
    note="the code of an autoencoder is detached for a plot that was removed later",
    cured=(("code = self.encoder(x).detach()", "code = self.encoder(x)"),),
)
def autoencoder_with_a_plot_of_codes():
    class AutoEncoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 4))
            self.decoder = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 64))

        def forward(self, x):
            code = self.encoder(x).detach()
            self.last_code = code
            return self.decoder(code)

    torch.manual_seed(6)
    x, _ = digits()
    model = AutoEncoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(20):
        for (batch,) in DataLoader(TensorDataset(x), batch_size=64, shuffle=True):
            loss = F.mse_loss(model(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"error": F.mse_loss(model(x), x).item()}


@sick(
    "UT103",
    split="blind",
    note="the shared trunk of two heads runs under no_grad",
    cured=(("with torch.no_grad():", "with torch.enable_grad():"),),
)
def one_trunk_for_yield_and_state():
    torch.manual_seed(7)
    x, made, state = plant()
    trunk = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU())
    heads = nn.ModuleDict({"made": nn.Linear(8, 1), "state": nn.Linear(8, 3)})
    opt = torch.optim.Adam([*trunk.parameters(), *heads.parameters()], lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(50):
            with torch.no_grad():
                h = trunk(x[i])
            loss = F.mse_loss(heads["made"](h), made[i]) + F.cross_entropy(heads["state"](h), state[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(heads["made"](trunk(x)), made).item()}


@sick(
    "UT103",
    split="blind",
    note="the features of a convolution are made into a new tensor before the classifier",
    cured=(("torch.tensor(h.flatten(1).tolist())", "h.flatten(1)"),),
)
def features_by_way_of_a_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, stride=2)
            self.fc = nn.Linear(6 * 9, 6)

        def forward(self, x):
            h = F.relu(self.conv2(F.relu(self.conv1(x))))
            h = torch.tensor(h.flatten(1).tolist())
            return self.fc(h)

    torch.manual_seed(8)
    x, y = fabrics()
    net = Net()
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT103",
    split="blind",
    note="the first of two graph layers is cached through .data",
    cured=(("h.data", "h"),),
)
def neighbours_kept_between_layers():
    torch.manual_seed(9)
    x, knows, y, known = village()
    a = knows + torch.eye(len(x))
    a = a / a.sum(1, keepdim=True)
    first, second, cache = nn.Linear(8, 6), nn.Linear(6, 4), {}

    def forward():
        h = torch.relu(first(a @ x))
        cache["hidden"] = h.data
        return second(a @ cache["hidden"])

    opt = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=0.02)
    for step in range(150):
        opt.zero_grad()
        loss = F.cross_entropy(forward()[known], y[known])
        loss.backward()
        opt.step()
    return {"error": F.cross_entropy(forward(), y).item()}
