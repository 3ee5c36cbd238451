"""Parameters left behind and checkpoints not loaded, from refactorings that went wrong."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digits, moons
from ..score import accuracy
from ..table import sick


@sick(
    "UT304",
    split="held",
    note="hidden layers kept in a plain list, which registers nothing",
    cured=(("self.hidden = [", "self.hidden = nn.ModuleList("), ("for _ in range(3)]", "for _ in range(3))")),
)
def hidden_layers_in_a_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.enter = nn.Linear(2, 24)
            self.hidden = [nn.Linear(24, 24) for _ in range(3)]
            self.leave = nn.Linear(24, 2)

        def forward(self, x):
            x = torch.tanh(self.enter(x))
            for layer in self.hidden:
                x = torch.tanh(layer(x))
            return self.leave(x)

    torch.manual_seed(6)
    x, y = moons(1000, 0.15)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for epoch in range(120):
        for i in torch.randperm(1000).split(25):
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(net(x[i]), y[i])
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT304",
    module=("fc",),
    split="held",
    note="the head is replaced for the new classes after the optimizer was made",
    cured=(
        ("    model.fc = nn.Linear(32, 10)\n", ""),
        (
            "    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)\n    for p in model.trunk",
            "    model.fc = nn.Linear(32, 10)\n"
            "    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)\n    for p in model.trunk",
        ),
    ),
)
def head_replaced_after_the_optimizer():
    class Model(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.trunk = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
            self.fc = nn.Linear(32, classes)

        def forward(self, x):
            return self.fc(self.trunk(x))

    torch.manual_seed(7)
    x, y = digits()
    model = Model(2)
    pre = torch.optim.Adam(model.parameters(), lr=1e-3)
    for i in torch.randperm(len(x)).split(16):
        pre.zero_grad()
        F.cross_entropy(model(x[i]), y[i] % 2).backward()
        pre.step()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for p in model.trunk[0].parameters():
        p.requires_grad_(False)
    model.fc = nn.Linear(32, 10)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT304",
    split="held",
    note="the model is copied for the new fold, the optimizer still holds the old one",
    cured=(
        (
            "copy.deepcopy(fresh)\n",
            "copy.deepcopy(fresh)\n        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)\n",
        ),
    ),
)
def copy_for_the_next_fold():
    torch.manual_seed(8)
    x, y = cancer()
    folds = torch.randperm(len(x)).chunk(4)
    fresh = nn.Sequential(nn.Linear(30, 16), nn.SiLU(), nn.Linear(16, 2))
    model = fresh
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scores = []
    for k, held in enumerate(folds):
        model = copy.deepcopy(fresh)
        rest = torch.cat([f for j, f in enumerate(folds) if j != k])
        for epoch in range(80):
            for i in rest[torch.randperm(len(rest))].split(32):
                loss = F.cross_entropy(model(x[i]), y[i])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        scores.append(accuracy(model, x[held], y[held]))
    return {"accuracy": sum(scores) / 4}


@sick(
    "UT304",
    module=("0", "encoder", "encoder.0", "encoder.2"),
    split="held",
    note="only the decoder's parameters are given to the optimizer",
    cured=(
        (
            "torch.optim.RMSprop(decoder.parameters(), lr=1e-3)",
            "torch.optim.RMSprop([*encoder.parameters(), *decoder.parameters()], lr=1e-3)",
        ),
    ),
)
def only_the_decoder():
    torch.manual_seed(9)
    x, _ = digits()
    encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 6))
    decoder = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 64))
    optimizer = torch.optim.RMSprop(decoder.parameters(), lr=1e-3)
    for epoch in range(120):
        for i in torch.randperm(len(x)).split(64):
            loss = F.mse_loss(decoder(encoder(x[i])), x[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"error": F.mse_loss(decoder(encoder(x)), x).item()}


@sick(
    "UT107",
    module=("trunk", "trunk.0", "trunk.2", "trunk.3", "trunk.1", "trunk.4"),
    split="held",
    note="the checkpoint's keys begin with module., strict=False swallows them all, and the trunk is frozen",
    cured=(
        (
            "model.load_state_dict(saved, strict=False)",
            "model.load_state_dict({k.removeprefix('module.'): v for k, v in saved.items()}, strict=False)",
        ),
    ),
)
def checkpoint_with_a_prefix():
    class Features(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.trunk = nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 8), nn.ReLU())
            self.head = nn.Linear(8, classes)

        def forward(self, x):
            return self.head(self.trunk(x))

    torch.manual_seed(10)
    x, y = digits()
    teacher = Features(10)
    opt = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(teacher(x[i]), y[i]).backward()
            opt.step()
    saved = {f"module.{k}": v for k, v in teacher.state_dict().items() if "head" not in k}
    model = Features(10)
    model.load_state_dict(saved, strict=False)
    for p in model.trunk.parameters():
        p.requires_grad = False
    opt = torch.optim.Adam(model.head.parameters(), lr=3e-3)
    for epoch in range(80):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y)}
