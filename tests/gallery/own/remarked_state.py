"""Trainings that learn in spite of the state they begin or end in, which is worth a remark, and their sound twins."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digits, wine
from ..score import accuracy, matches
from ..table import healthy, remarked


def epochs(net, opt, x, y, steps=250):
    for step in range(steps):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@remarked(
    "UT204",
    split="build",
    note="nineteen of twenty units were begun at a ten-thousandth of the size of the others, in and out",
)
def most_units_begun_tiny():
    torch.manual_seed(150)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    with torch.no_grad():
        net[0].weight[:95] *= 0.0001
        net[0].bias[:95] = 0
        net[2].weight[:, :95] *= 0.0001
    return epochs(net, torch.optim.SGD(net.parameters(), lr=0.3), x, y, 80)


@remarked("UT204", split="build", note="weight decay meant as 2e-3 was written as 2 for the wide one of two branches")
def decay_of_one_branch():
    torch.manual_seed(151)
    x, y = cancer()
    narrow, wide, head = nn.Linear(30, 12), nn.Linear(30, 240), nn.Linear(252, 2)

    def net(x):
        return head(F.relu(torch.cat([narrow(x), wide(x)], 1)))

    rest = {"params": [*narrow.parameters(), *head.parameters()]}
    opt = torch.optim.SGD([rest, {"params": wide.parameters(), "weight_decay": 2.0}], lr=0.1)
    for step in range(500):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"accuracy": matches(net(x), y)}


@healthy(split="build", odd="half of the units are off for each input, each for others", without="UT204")
def wide_layer_of_rectifiers():
    torch.manual_seed(152)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 400), nn.ReLU(), nn.Linear(400, 10))
    return epochs(net, torch.optim.Adam(net.parameters(), lr=1e-3), x, y)


@healthy(split="build", odd="units of sizes that differ fivefold", without="UT204")
def units_of_different_sizes():
    torch.manual_seed(153)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 3))
    with torch.no_grad():
        net[0].weight *= torch.linspace(0.4, 2.0, 64)[:, None]
    return epochs(net, torch.optim.SGD(net.parameters(), lr=0.05), x, y)


@remarked("UT408", split="build", note="the last layer was begun with standard normal weights, ten times too large")
def last_layer_of_standard_normals():
    torch.manual_seed(154)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    nn.init.normal_(net[2].weight, std=10.0)
    return epochs(net, torch.optim.Adam(net.parameters(), lr=3e-3), x, y, 500)


@remarked("UT408", split="build", note="outputs are multiplied by sixty from the start")
def outputs_times_sixty():
    torch.manual_seed(155)
    x, y = wine()

    class Sharp(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 3))
            self.scale = nn.Parameter(torch.tensor(60.0))

        def forward(self, x):
            return self.scale * self.layers(x)

    net = Sharp()
    return epochs(net, torch.optim.Adam(net.parameters(), lr=3e-3), x, y, 400)


@healthy(split="build", odd="the last layer begins at zero", without="UT408")
def last_layer_from_zero():
    torch.manual_seed(156)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.zeros_(net[2].weight)
    return epochs(net, torch.optim.Adam(net.parameters(), lr=3e-3), x, y)


@healthy(split="build", odd="begins at one and a half times the loss of chance", without="UT408")
def begins_a_little_above_chance():
    torch.manual_seed(157)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.normal_(net[2].weight, std=0.5)
    return epochs(net, torch.optim.Adam(net.parameters(), lr=3e-3), x, y)


def in_half_precision(scale):
    """The scale is taken in and out again around the rectifiers, which changes nothing but their numbers."""
    torch.manual_seed(158)
    x, y = digits()
    first, last = nn.Linear(64, 64), nn.Linear(64, 10)

    def net(x):
        return last(F.relu(first(x) * scale) / scale)

    opt = torch.optim.Adam([*first.parameters(), *last.parameters()], lr=3e-3)
    for step in range(200):
        i = torch.randint(len(x), (64,))
        with torch.autocast("cpu", dtype=torch.float16):
            out = net(x[i])
        opt.zero_grad()
        loss = F.cross_entropy(out.float(), y[i])
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"accuracy": matches(net(x), y)}


@remarked(
    "UT802",
    split="build",
    note="a rectifier of numbers in the thousands, in half precision, whose largest number is 65,504",
)
def half_precision_near_its_end():
    return in_half_precision(5000.0)


@remarked("UT802", split="build", note="a first layer that was never scaled, and is left alone, in half precision")
def half_precision_sum():
    torch.manual_seed(159)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    with torch.no_grad():
        net[0].weight *= 30000.0
        net[0].bias *= 30000.0
    opt = torch.optim.SGD([{"params": net[2].parameters()}], lr=0.2)
    for step in range(200):
        i = torch.randint(len(x), (64,))
        with torch.autocast("cpu", dtype=torch.float16):
            out = net[2](net[1](net[0](x[i])) / 10000.0)
        opt.zero_grad()
        loss = F.cross_entropy(out.float(), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="half precision, with numbers of about one", without="UT802")
def half_precision_of_ones():
    return in_half_precision(1.0)


@healthy(split="build", odd="half precision, with numbers of some hundreds", without="UT802")
def half_precision_of_hundreds():
    return in_half_precision(300.0)
