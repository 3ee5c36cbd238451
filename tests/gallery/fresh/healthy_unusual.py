"""What looks ill at a glance and is not: idle parts, hard noise, extreme scales, loops of one's own."""

import itertools

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits, digits_255, wine
from ..score import accuracy, matches
from ..table import healthy
from .data import bars, dialects, hires, sensors, spirals


def small(a, b, width=48):
    return nn.Sequential(nn.Linear(a, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, b))


def draw(count, total, size):
    return (torch.randint(total, (size,)) for _ in range(count))


@healthy(split="fresh", odd="dropout of 0.8 in a layer of 512: enough units are left")
def wide_layer_with_dropout_of_eight_tenths():
    torch.manual_seed(0)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Dropout(0.8), nn.Linear(512, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for i in draw(500, len(x), 32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="pixels of 0 to 255 straight into a batch normalisation")
def bytes_normalised_at_the_door():
    torch.manual_seed(1)
    x, y = digits_255()
    net = nn.Sequential(nn.BatchNorm1d(64), small(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for i in draw(400, len(x), 32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="inputs of a millionth, normalised by the first layer")
def readings_in_microvolts():
    torch.manual_seed(2)
    x, y = sensors()
    volts = 1e-6 * x.flatten(1)
    net = nn.Sequential(nn.LayerNorm(144, eps=1e-14), small(144, 3))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for i in draw(300, 600, 30):
        opt.zero_grad()
        loss = F.cross_entropy(net(volts[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, volts, y)}


@healthy(split="fresh", odd="the loss is multiplied by a millionth, and Adam with an epsilon of 1e-16 does not care")
def loss_in_millionths_with_small_epsilon():
    torch.manual_seed(3)
    x, y = spirals()
    net = small(2, 3)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3, eps=1e-16)
    for i in draw(600, 600, 50):
        opt.zero_grad()
        loss = 1e-6 * F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="sum of squares over the batch, with a rate divided by the batch")
def summed_and_divided_in_the_rate():
    torch.manual_seed(4)
    x, y = hires()
    net = small(6, 1)
    opt = torch.optim.SGD(net.parameters(), lr=0.02 / 50, momentum=0.9)
    for i in draw(900, len(x), 50):
        opt.zero_grad()
        loss = F.mse_loss(net(x[i]).squeeze(1), y[i], reduction="sum")
        loss.backward()
        opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@healthy(split="fresh", odd="an auxiliary head is switched off after the first third: its gradients stop")
def helper_switched_off():
    torch.manual_seed(5)
    x, y = digits()
    low, high, helper = small(64, 48), small(48, 10), nn.Linear(48, 10)
    opt = torch.optim.Adam(itertools.chain(low.parameters(), high.parameters(), helper.parameters()), lr=1e-3)
    for step, i in enumerate(draw(450, len(x), 32)):
        h = F.relu(low(x[i]))
        loss = F.cross_entropy(high(h), y[i])
        if step < 150:
            loss = loss + 0.3 * F.cross_entropy(helper(h), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": matches(high(F.relu(low(x))), y)}


@healthy(split="fresh", odd="half of the table of embeddings belongs to words that never come")
def words_that_never_come():
    torch.manual_seed(6)
    tokens, _, kind = dialects()
    pairs = tokens[:, :-1] * 13 + tokens[:, 1:]
    net = nn.Sequential(nn.EmbeddingBag(1000, 16), nn.Linear(16, 3))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for i in draw(400, 900, 30):
        opt.zero_grad()
        loss = F.cross_entropy(net(pairs[i]), kind[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, pairs, kind)}


@healthy(split="fresh", odd="examples come one at a time, and the loss of each step is either near 0 or large")
def online_with_single_examples():
    torch.manual_seed(7)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 16), nn.Tanh(), nn.Linear(16, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.02)
    for epoch in range(8):
        for k in torch.randperm(178).tolist():
            opt.zero_grad()
            loss = F.cross_entropy(net(x[k : k + 1]), y[k : k + 1])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="the same twelve examples in every step, to see whether they can be learned at all")
def twelve_examples_as_a_check():
    torch.manual_seed(8)
    x, y = bars()
    x, y = x[:12], y[:12]
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 4))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(200):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="hard examples only: the quarter of the batch with the largest losses is followed")
def only_the_hardest_quarter():
    torch.manual_seed(9)
    x, y = digits()
    net = small(64, 10)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for i in draw(500, len(x), 128):
        each = F.cross_entropy(net(x[i]), y[i], reduction="none")
        loss = each.topk(32).values.mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="adversarial training: the inputs are moved against the network in every step")
def trained_against_small_changes():
    torch.manual_seed(10)
    x, y = digits()
    net = small(64, 10, 96)
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for i in draw(500, len(x), 64):
        seen = x[i].clone().requires_grad_()
        slope = torch.autograd.grad(F.cross_entropy(net(seen), y[i]), seen)[0]
        loss = F.cross_entropy(net(x[i] + 0.1 * slope.sign()), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="hard sigmoid gates that are 0 or 1 for most inputs, beside a path without them")
def gates_beside_an_open_path():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.gate, self.b = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)

        def forward(self, x):
            h = torch.relu(self.a(x))
            return self.b(h + h * F.hardsigmoid(10 * self.gate(x)))

    torch.manual_seed(11)
    x, y = digits()
    net = Gated()
    opt = torch.optim.NAdam(net.parameters(), lr=2e-3)
    for i in draw(400, len(x), 32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="weight decay of 0.5 in AdamW at 0.001: a pull of a two-thousandth a step")
def decoupled_decay_of_a_half():
    torch.manual_seed(12)
    x, y = digits()
    net = small(64, 10, 96)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.5)
    for i in draw(600, len(x), 32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="a frozen layer of random weights, on purpose: only its scales and a head are trained")
def scales_of_random_weights():
    torch.manual_seed(13)
    x, y = sensors()
    frozen = nn.Linear(144, 512).requires_grad_(False)
    norm, head = nn.BatchNorm1d(512), nn.Linear(512, 3)
    net = nn.Sequential(nn.Flatten(), frozen, norm, nn.ReLU(), head)
    opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=3e-3)
    for i in draw(300, 600, 60):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}
