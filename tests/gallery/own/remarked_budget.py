"""Trainings that learn, and pay for what brings nothing: gradients that nobody uses, steps at the start; and twins."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digit_images, digits
from ..score import accuracy
from ..table import healthy, remarked


def head_on_frozen(trunk, head, x, y, wants_input=False, steps=150):
    """A trunk that was trained for two classes of digits, and a head for all."""
    both = nn.Sequential(trunk, nn.Linear(head.in_features, 2))
    opt = torch.optim.Adam(both.parameters(), lr=3e-3)
    with torch.random.fork_rng():
        some = y < 2
        for _ in range(60):
            opt.zero_grad()
            F.cross_entropy(both(x[some]), y[some]).backward()
            opt.step()
    for parameter in trunk.parameters():
        parameter.requires_grad_(False)
    opt = torch.optim.Adam(head.parameters(), lr=3e-2)
    for step in range(steps):
        i = torch.randint(len(x), (64,))
        xb = x[i].requires_grad_(wants_input)
        opt.zero_grad()
        loss = F.cross_entropy(head(trunk(xb)), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(nn.Sequential(trunk, head), x, y)}


def convolutions():
    torch.manual_seed(170)
    layers = nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*layers), nn.Linear(512, 10), *digit_images()


def dense():
    torch.manual_seed(171)
    layers = nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()
    return nn.Sequential(*layers), nn.Linear(64, 10), *digits()


@remarked("UT001", split="build", note="the inputs require a gradient since somebody looked at saliency maps")
def inputs_of_frozen_convolutions_require_a_gradient():
    return head_on_frozen(*convolutions(), wants_input=True)


@remarked("UT001", split="build", note="the gradient goes through three frozen layers to inputs that nobody moves")
def inputs_of_frozen_layers_require_a_gradient():
    return head_on_frozen(*dense(), wants_input=True)


@healthy(split="build", odd="a frozen trunk, through which no gradient goes", without="UT001")
def frozen_layers_end_the_backward_pass():
    return head_on_frozen(*dense())


@healthy(split="build", odd="inputs are moved against the network while it is trained", without="UT001")
def trained_on_adversarial_inputs():
    torch.manual_seed(172)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(200):
        i = torch.randint(len(x), (64,))
        xb = x[i].requires_grad_()
        F.cross_entropy(net(xb), y[i]).backward()
        opt.zero_grad()
        loss = F.cross_entropy(net((xb + 0.05 * xb.grad.sign()).detach()), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


def warmed_up(until, steps=400):
    torch.manual_seed(173)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(steps):
        i = torch.randint(len(x), (64,))
        opt.param_groups[0]["lr"] = 1e-5 if step < until else 0.2
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@remarked("UT002", split="build", note="a warm-up of two fifths of the run at a rate of a hundred-thousandth")
def warm_up_of_two_fifths():
    return warmed_up(until=160)


@remarked(
    "UT002", split="build", note="four layers begun so small that the first half of the run goes by before they grow"
)
def begun_so_small_that_half_goes_by():
    torch.manual_seed(174)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 2))
    with torch.no_grad():
        for layer in net[::2]:
            layer.weight *= 0.1
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for step in range(600):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="a warm-up of a twentieth of the run", without="UT002")
def warm_up_of_a_twentieth():
    return warmed_up(until=20)


@healthy(split="build", odd="falls slowly and evenly from its start", without="UT002")
def slow_from_its_start():
    torch.manual_seed(175)
    x, y = digits()
    net = nn.Linear(64, 10)
    opt = torch.optim.SGD(net.parameters(), lr=0.02)
    for step in range(400):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}
