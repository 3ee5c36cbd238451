"""Faults of batches and of the scale of targets."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, raw_diabetes, standardized
from ..score import accuracy
from ..table import sick
from .data_a import beats, figures, flats, frauds, grades


@sick(
    "UT506",
    split="wild",
    note="a generator seeded anew at each step draws the same rows",
    cured=(("manual_seed(42)", "manual_seed(42 + step)"),),
)
def grades_drawn_with_one_seed():
    torch.manual_seed(20)
    x, y = grades()
    ordinal = nn.Sequential(nn.Linear(6, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 4))
    opt = torch.optim.Adam(ordinal.parameters(), lr=5e-3)
    levels = (y[:, None] > torch.arange(4)).float()
    for step in range(500):
        g = torch.Generator().manual_seed(42)  # <- fault
        rows = torch.randint(1200, (24,), generator=g)
        loss = F.binary_cross_entropy_with_logits(ordinal(x[rows]), levels[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    grade = (ordinal(x[1200:]) > 0).sum(1)
    return {"accuracy": (grade == y[1200:]).float().mean().item()}


@sick(
    "UT507",
    split="wild",
    note="rows sorted by class and shuffle=False",
    cured=(("shuffle=False", "shuffle=True"),),
)
def figures_in_order_of_kind():
    torch.manual_seed(21)
    x, y = figures()
    x, y = x.flatten(1)[y.argsort()], y.sort().values
    loader = DataLoader(TensorDataset(x, y), batch_size=25, shuffle=False)  # <- fault
    net = nn.Sequential(nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(10):
        for xb, yb in loader:
            loss = F.cross_entropy(net(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT507",
    split="wild",
    note="folders of pictures read class by class",
    cured=(("torch.cat(folders)", "torch.cat(folders)[torch.randperm(1400)]"),),
)
def digits_folder_by_folder():
    class Res(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.a = nn.Conv2d(c, c, 3, padding=1)
            self.b = nn.Conv2d(c, c, 3, padding=1)

        def forward(self, x):
            return torch.relu(x + self.b(torch.relu(self.a(x))))

    torch.manual_seed(22)
    x, y = digit_images()
    folders = [torch.nonzero(y[:1400] == k).flatten() for k in range(10)]
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        Res(12),
        nn.MaxPool2d(2),
        Res(12),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 10),
    )
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(6):
        order = torch.cat(folders)
        for i in order.split(32):
            opt.zero_grad(set_to_none=True)
            F.cross_entropy(model(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(model, x[1400:], y[1400:])}


@sick(
    "UT508",
    split="wild",
    note="rents in euros, squared error, Adam",
    cured=(("y = rent\n", "y = (rent - rent.mean()) / rent.std()\n"),),
)
def rents_in_euros():
    torch.manual_seed(23)
    x, rent = flats()
    x = standardized(x)
    y = rent
    net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(40):
        for b in torch.randperm(480).split(48):
            loss = F.mse_loss(net(x[b]), y[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        residual = net(x[480:]) - y[480:]
    return {"error": (residual.pow(2).mean() / y.var()).item()}


@sick(
    "UT508",
    split="wild",
    note="progression of diabetes in its own units, mean absolute error, a cycle of rates",
    cured=(("target = y", "target = (y - y.mean()) / y.std()"),),
)
def diabetes_in_points():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(10, 24), nn.Linear(24, 24)])
            self.out = nn.Linear(24, 1)

        def forward(self, x):
            for layer in self.layers:
                x = torch.tanh(layer(x))
            return self.out(x).squeeze(-1)

    torch.manual_seed(24)
    x, y = raw_diabetes()
    x = standardized(x)
    target = y
    net = Net()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    sched = OneCycleLR(opt, max_lr=5e-3, total_steps=200)
    for step in range(200):
        b = torch.randint(360, (48,))
        loss = F.l1_loss(net(x[b]), target[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    with torch.no_grad():
        return {"error": (F.l1_loss(net(x[360:]), target[360:]) / target.std()).item()}


@sick(
    "UT504",
    split="wild",
    note="an integer division turns every class into 0",
    cured=(("kind // 4", "kind"),),
)
def pulses_of_class_nought():
    torch.manual_seed(25)
    x, kind = beats()
    labels = kind // 4  # <- fault
    net = nn.Sequential(
        *[nn.Conv1d(1, 8, 7, stride=2), nn.ReLU(), nn.Conv1d(8, 16, 5, stride=2), nn.ReLU()],
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )
    opt = torch.optim.RAdam(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for b in torch.randperm(400).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), labels[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[400:], kind[400:])}


@sick(
    "UT505",
    split="wild",
    note="two classes in three hardly seen, cross-entropy as it comes",
    cured=(("F.cross_entropy(model(x[b]), y[b])", "F.cross_entropy(model(x[b]), y[b], weight=1 / share)"),),
)
def payments_in_three_classes():
    torch.manual_seed(26)
    x, fraud = frauds()
    y = fraud.long() + ((x[:, 4] > 1.8) & (fraud == 0)).long() * 2
    share = y.bincount() / len(y)
    model = nn.Sequential(nn.LayerNorm(10), nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(12):
        for b in torch.randperm(1000).split(40):
            opt.zero_grad()
            F.cross_entropy(model(x[b]), y[b]).backward()
            opt.step()
    guess = model(x[1000:]).argmax(1)
    recalls = [(guess[y[1000:] == k] == k).float().mean() for k in range(3)]
    return {"accuracy": torch.stack(recalls).mean().item(), "rarest": share.min().item()}
