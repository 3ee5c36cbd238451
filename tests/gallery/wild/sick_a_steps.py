"""Loops that do not step, step twice or step on nothing."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import ExponentialLR, StepLR
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, moons, standardized, wine
from ..score import accuracy, hits
from ..table import sick
from .data_a import beats, figures, flats, friedman, rings, tags


@sick(
    "UT303",
    split="wild",
    note="zero_grad once before the loop",
    cured=(("for step in range(200):", "for step in range(200):\n        opt.zero_grad()"),),
)
def shells_zeroed_once():
    torch.manual_seed(100)
    x, y = rings()
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    opt.zero_grad()
    for step in range(200):
        b = torch.randint(450, (64,))
        loss = F.cross_entropy(net(x[b]), y[b])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x[450:], y[450:])}


@sick(
    "UT303",
    split="wild",
    note="zero_grad called on the loss's module, which holds no parameters",
    cured=(("criterion.zero_grad()", "model.zero_grad()"),),
)
def pulses_zeroing_the_criterion():
    class Trainer:
        def __init__(self, model, lr):
            self.model = model
            self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
            self.criterion = nn.CrossEntropyLoss(label_smoothing=0.05)

        def fit(self, loader, epochs):
            model, criterion = self.model, self.criterion
            for _ in range(epochs):
                for x, y in loader:
                    criterion.zero_grad()
                    criterion(model(x), y).backward()
                    self.optimizer.step()

    torch.manual_seed(101)
    x, kind = beats()
    model = nn.Sequential(
        nn.Conv1d(1, 10, 9, stride=2), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(), nn.Linear(40, 4)
    )
    trainer = Trainer(model, lr=0.03)
    trainer.fit(DataLoader(TensorDataset(x[:400], kind[:400]), 32, shuffle=True), 15)
    return {"accuracy": accuracy(model, x[400:], kind[400:])}


@sick(
    "UT304",
    split="wild",
    note="hidden layers in a plain list",
    cured=(("self.hidden = [nn.Linear", "self.hidden = nn.ModuleList([nn.Linear"), ("range(depth)]", "range(depth)])")),
)
def friedman_with_a_list_of_layers():
    class Net(nn.Module):
        def __init__(self, width=12, depth=3):
            super().__init__()
            self.first = nn.Linear(10, width)
            self.hidden = [nn.Linear(width, width) for _ in range(depth)]  # <- fault
            self.last = nn.Linear(width, 1)

        def forward(self, x):
            x = torch.relu(self.first(x))
            for layer in self.hidden:
                x = torch.relu(layer(x))
            return self.last(x).squeeze(1)

    torch.manual_seed(102)
    x, y = friedman()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(40):
        for b in torch.randperm(480).split(40):
            opt.zero_grad()
            F.mse_loss(net(x[b]), y[b]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]), y[480:]).item()}


@sick(
    "UT304",
    split="wild",
    note="only the classifier is handed to the optimizer",
    module="features",
    cured=(("model.classifier.parameters()", "model.parameters()"),),
)
def digits_with_half_a_net_held():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                *[nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU()],
                *[nn.AdaptiveAvgPool2d(2), nn.Flatten()],
            )
            self.classifier = nn.Linear(32, 10)

        def forward(self, x):
            return self.classifier(self.features(x))

    torch.manual_seed(103)
    x, y = digit_images()
    model = Model()
    optimizer = torch.optim.RAdam(model.classifier.parameters(), lr=1e-2)  # <- fault
    scheduler = ExponentialLR(optimizer, 0.95)
    for epoch in range(8):
        model.train()
        for b in torch.randperm(1400).split(40):
            optimizer.zero_grad()
            F.cross_entropy(model(x[b]), y[b]).backward()
            optimizer.step()
        scheduler.step()
    return {"accuracy": accuracy(model, x[1400:], y[1400:])}


@sick(
    "UT305",
    split="wild",
    note="the loss is computed, logged and never sent back",
    cured=(("running += loss.item()", "loss.backward(); running += loss.item()"),),
)
def wine_logged_and_not_learned():
    torch.manual_seed(104)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 24), nn.Hardswish(), nn.Linear(24, 3))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    log = []
    for epoch in range(20):
        running = 0.0
        for b in torch.randperm(178).split(16):
            optimizer.zero_grad()
            loss = criterion(net(x[b]), y[b])
            running += loss.item()
            optimizer.step()
        log.append(running)
    return {"accuracy": accuracy(net, x, y), "loss": log[-1]}


@sick(
    "UT306",
    split="wild",
    note="accumulates over more batches than an epoch has, and zeroes at its start",
    cured=(("accumulate = 32", "accumulate = 2"),),
)
def moons_accumulated_for_ever():
    torch.manual_seed(105)
    x, y = moons()
    y = y.float()
    net = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    accumulate = 32
    for epoch in range(20):
        opt.zero_grad()
        for i, b in enumerate(torch.randperm(400).split(20)):
            loss = F.binary_cross_entropy_with_logits(net(x[b]).squeeze(1), y[b]) / accumulate
            loss.backward()
            if (i + 1) % accumulate == 0:
                opt.step()
                opt.zero_grad()
    return {"accuracy": hits(net(x[400:]), y[400:])}


@sick(
    "UT306",
    split="wild",
    note="the schedule is stepped in place of the optimizer",
    cured=(("        scheduler.step()  # <- fault", "        opt.step()"),),
)
def rents_with_a_schedule_alone():
    torch.manual_seed(106)
    x, rent = flats()
    x, y = standardized(x), standardized(rent)
    net = nn.Sequential(nn.Linear(6, 32), nn.Mish(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    scheduler = StepLR(opt, 100, gamma=0.5)
    for step in range(250):
        b = torch.randint(480, (32,))
        opt.zero_grad()
        loss = F.smooth_l1_loss(net(x[b]), y[b])
        loss.backward()
        scheduler.step()  # <- fault
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]), y[480:]).item()}


@sick(
    "UT307",
    split="wild",
    note="zero_grad between backward and step",
    cured=(
        ("opt.zero_grad()  # <- fault\n", "pass\n"),
        ("loss = criterion", "opt.zero_grad()\n            loss = criterion"),
    ),
)
def tags_zeroed_too_soon():
    torch.manual_seed(107)
    x, y = tags()
    net = nn.Sequential(nn.Linear(20, 48), nn.CELU(), nn.Linear(48, 5))
    criterion = nn.MultiLabelSoftMarginLoss()
    opt = torch.optim.Adamax(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for b in torch.randperm(560).split(28):
            loss = criterion(net(x[b]), y[b])
            loss.backward()
            opt.zero_grad()  # <- fault
            opt.step()
    return {"accuracy": hits(net(x[560:]), y[560:])}


@sick(
    "UT308",
    split="wild",
    note="the whole network in bfloat16, Adam at a small rate",
    cured=(("net.to(torch.bfloat16)", "net"), ("x.to(torch.bfloat16)", "x")),
)
def figures_in_bfloat16():
    torch.manual_seed(108)
    x, kind = figures()
    x = x.to(torch.bfloat16)
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 128), nn.ReLU(), nn.Linear(128, 4))
    net = net.to(torch.bfloat16)  # <- fault
    opt = torch.optim.Adam(net.parameters(), lr=2e-4)
    for epoch in range(60):
        for b in torch.randperm(500).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[b]).float(), kind[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[500:], kind[500:])}


@sick(
    "UT309",
    split="wild",
    note="a decay of 1 in Adam, where it is a penalty",
    cured=(("weight_decay=1.0", "weight_decay=1e-4"),),
)
def digits_under_a_heavy_penalty():
    torch.manual_seed(109)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1.0)  # <- fault
    for epoch in range(8):
        for xb, yb in DataLoader(TensorDataset(x[:1400], y[:1400]), 35, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}
