"""Slips as they come up in notebooks: ordinary nets in several styles, each with one thing wrong."""

from types import SimpleNamespace

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, raw_cancer, wine
from ..score import accuracy, hits, matches
from ..table import sick
from .data_a import emblems, plant, rentals, scaled_houses, village


@sick(
    "UT601",
    split="blind",
    note="model.eval() was left from a cell above the loop; the inputs go through batch norms as measured",
    cured=(("model.eval()  # a look", "model.train()  # a look"),),
)
def cells_after_a_look_at_the_net():
    torch.manual_seed(1)
    x, y = raw_cancer()
    model = nn.Sequential(
        nn.BatchNorm1d(30), nn.Linear(30, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0)
    )
    model.eval()  # a look at the shapes
    model(x[:4])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(x, y.float()), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(xb), yb).backward()
            optimizer.step()
    model.eval()
    return {"accuracy": hits(model(x), y)}


@sick(
    "UT507",
    split="blind",
    note="digits are sorted for a figure and stay sorted; plain momentum runs through them ten times",
    cured=(("shuffle=False", "shuffle=True"),),
)
def digits_after_a_figure():
    torch.manual_seed(2)
    x, y = digit_images()
    order = torch.sort(y, stable=True).indices
    loader = DataLoader(TensorDataset(x[order], y[order]), batch_size=32, shuffle=False)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(10):
        for xb, yb in loader:
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT404",
    split="blind",
    note="the counts are a column, the rates a row after squeeze",
    cured=(("net(xb).squeeze()", "net(xb)"),),
)
def rates_after_a_squeeze():
    torch.manual_seed(3)
    x, y = rentals()
    net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    criterion = nn.PoissonNLLLoss()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(25):
        for xb, yb in DataLoader(TensorDataset(x, y[:, None]), batch_size=40, shuffle=True):
            opt.zero_grad()
            criterion(net(xb).squeeze(), yb).backward()
            opt.step()
    return {"error": F.mse_loss(net(x).exp()[:, 0], y).item()}


@sick(
    "UT304",
    split="blind",
    note="of a list of modules only the last one's parameters are taken, by the name of a loop's variable",
    cured=(("layer.parameters()", "[p for layer in layers for p in layer.parameters()]"),),
)
def name_of_a_loop_variable():
    torch.manual_seed(4)
    x, y = wine()
    layers = [nn.Linear(13, 4), nn.Linear(4, 4), nn.Linear(4, 3)]
    for layer in layers:
        nn.init.xavier_normal_(layer.weight)
    opt = torch.optim.Adam(layer.parameters(), lr=5e-3)

    def forward(h):
        for fc in layers[:-1]:
            h = torch.tanh(fc(h))
        return layers[-1](h)

    for epoch in range(40):
        for i in torch.randperm(len(x)).split(16):
            opt.zero_grad()
            F.cross_entropy(forward(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.cross_entropy(forward(x), y).item()}


@sick(
    "UT301",
    split="blind",
    note="a rate of 0.25 with momentum behind a config's default",
    cured=(("lr=0.25", "lr=0.01"),),
)
def config_of_a_colleague():
    cfg = SimpleNamespace(lr=0.25, momentum=0.9, batch=32, epochs=20)
    torch.manual_seed(5)
    x, y = scaled_houses()
    net = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=cfg.lr, momentum=cfg.momentum)
    for epoch in range(cfg.epochs):
        for i in torch.randperm(len(x)).split(cfg.batch):
            opt.zero_grad()
            F.mse_loss(net(x[i]).squeeze(1), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT302",
    split="blind",
    note="StepLR halves the rate each step, where it should do so every ten epochs",
    cured=(("step_size=1, gamma=0.5", "step_size=1000, gamma=0.5"),),
)
def half_the_rate_now_and_then():
    torch.manual_seed(6)
    x, made, _ = plant()
    net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.StepLR(opt, step_size=1, gamma=0.5)
    for epoch in range(30):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]), made[i]).backward()
            opt.step()
            schedule.step()
    return {"error": F.mse_loss(net(x), made).item()}


@sick(
    "UT405",
    split="blind",
    note="a softplus at the end for effects that are below 0 as often as above",
    cured=(("F.softplus(out[:, 0])", "out[:, 0]"),),
)
def positive_by_habit():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.out = (
                nn.Sequential(nn.Linear(6, 48), nn.GELU(), nn.Linear(48, 48), nn.GELU()),
                nn.Linear(48, 1),
            )

        def forward(self, x):
            out = self.out(self.body(x))
            return F.softplus(out[:, 0])

    torch.manual_seed(7)
    x, made, _ = plant()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(25):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]), made[i, 0]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), made[:, 0]).item()}


@sick(
    "UT603",
    split="blind",
    note="F.dropout2d of 0.9 on six channels, twice",
    cured=(("p=0.9", "p=0.1"),),
)
def channels_left_out():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.fc = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 12, 3, 2), nn.Linear(192, 4)

        def forward(self, x):
            h = F.dropout2d(F.relu(self.a(x)), p=0.9, training=self.training)
            h = F.dropout2d(F.relu(self.b(h)), p=0.9, training=self.training)
            return self.fc(h.flatten(1))

    torch.manual_seed(8)
    x, y = emblems()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        net.train()
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT801",
    split="blind",
    note="a softmax by hand: exp of scores without taking off their largest, on pixels of 0 to 255",
    cured=(("torch.exp(z)", "torch.exp(z - z.amax(1, keepdim=True))"), ("p.log()", "(p + 1e-12).log()")),
)
def softmax_by_hand():
    torch.manual_seed(10)
    x, y = digits()
    w = (0.05 * torch.randn(64, 10)).requires_grad_()
    opt = torch.optim.Adam([w], lr=1e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(64):
            z = 255 * x[i] @ w
            e = torch.exp(z)
            p = e / e.sum(1, keepdim=True)
            loss = -p.log()[torch.arange(len(i)), y[i]].mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(x @ w, y)}


@sick(
    "UT305",
    split="blind",
    note="the training step computes its loss and returns; the backward call went away with a refactoring",
    cured=(("return loss.item()", "loss.backward()\n        return loss.item()"),),
)
def training_step_of_a_village():
    torch.manual_seed(11)
    x, knows, y, known = village()
    a = knows + torch.eye(len(x))
    a = a / a.sum(1, keepdim=True)
    first, second = nn.Linear(8, 32), nn.Linear(32, 4)
    opt = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=0.01)

    def forward():
        return second(a @ torch.relu(first(a @ x)))

    def training_step():
        loss = F.cross_entropy(forward()[known], y[known])
        return loss.item()

    history = []
    for step in range(200):
        opt.zero_grad()
        history.append(training_step())
        opt.step()
    return {"accuracy": matches(forward(), y)}
