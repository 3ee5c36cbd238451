"""Architectures with units, paths or weights that look idle and are meant to, as other people might write them."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits
from ..score import accuracy, matches
from ..table import healthy
from .data import bars, molecules, sensors, spirals, sums


def fit(net, x, y, opt, steps=300, size=32, loss_of=F.cross_entropy):
    for _ in range(steps):
        i = torch.randint(len(x), (size,))
        opt.zero_grad()
        loss = loss_of(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return net


class Rise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > 0).float()

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        return grad / (1 + 4 * v.abs()) ** 2


@healthy(split="fresh", odd="spiking units with a surrogate gradient: most of their outputs are 0")
def spiking_digits():
    class Spiking(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(64, 96), nn.Linear(96, 10)

        def forward(self, x):
            volts, out = torch.zeros(len(x), 96), 0
            for _ in range(8):
                volts = 0.8 * volts + self.a(x)
                spike = Rise.apply(volts - 1)
                volts = volts * (1 - spike.detach())
                out = out + self.b(spike)
            return out / 8

    torch.manual_seed(0)
    x, y = digits()
    net = Spiking()
    fit(net, x, y, torch.optim.Adam(net.parameters(), lr=3e-3), 400)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="residual branches multiplied by a gate that begins at 0 (ReZero), twelve of them")
def twelve_gates_from_zero():
    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layer, self.gate = nn.Linear(width, width), nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return x + self.gate * torch.relu(self.layer(x))

    torch.manual_seed(1)
    x, y = spirals()
    net = nn.Sequential(nn.Linear(2, 32), *[Block(32) for _ in range(12)], nn.Linear(32, 3))
    fit(net, x, y, torch.optim.Adam(net.parameters(), lr=5e-3), 600)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="the output layer begins at zero, weights and bias: a first gradient reaches nothing else")
def head_from_zero_on_convolutions():
    torch.manual_seed(2)
    x, y = bars()
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4))
    nn.init.zeros_(net[-1].weight)
    nn.init.zeros_(net[-1].bias)
    fit(net, x, y, torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9))
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="the fixed point of a layer is found without gradients, then one step with them")
def deep_equilibrium():
    class Equilibrium(nn.Module):
        def __init__(self):
            super().__init__()
            self.into, self.again, self.out = nn.Linear(144, 32), nn.Linear(32, 32, bias=False), nn.Linear(32, 3)
            nn.init.normal_(self.again.weight, std=0.05)

        def forward(self, x):
            u = self.into(x)
            z = torch.zeros_like(u)
            with torch.no_grad():
                for _ in range(15):
                    z = torch.tanh(u + self.again(z))
            return self.out(torch.tanh(u + self.again(z)))

    torch.manual_seed(3)
    x, y = sensors()
    x = x.flatten(1)
    net = Equilibrium()
    fit(net, x, y, torch.optim.Adam(net.parameters(), lr=2e-3))
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="the top two of eight experts answer: some are never asked")
def two_of_eight_experts():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.router = nn.Linear(64, 8)
            self.experts = nn.ModuleList(
                nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)) for _ in range(8)
            )

        def forward(self, x):
            weight, chosen = self.router(x).topk(2)
            weight = weight.softmax(1)
            out = torch.zeros(len(x), 10)
            for k, expert in enumerate(self.experts):
                rows, place = (chosen == k).nonzero(as_tuple=True)
                if len(rows):
                    out = out.index_add(0, rows, weight[rows, place, None] * expert(x[rows]))
            return out

    torch.manual_seed(4)
    x, y = digits()
    net = Experts()
    fit(net, x, y, torch.optim.Adam(net.parameters(), lr=5e-3), 500)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="weights rounded to 3 bits in the forward pass, straight through in the backward pass")
def weights_of_three_bits():
    class Coarse(nn.Linear):
        def forward(self, x):
            step = self.weight.detach().abs().max() / 3
            rounded = (self.weight / step).round() * step
            return F.linear(x, self.weight + (rounded - self.weight).detach(), self.bias)

    torch.manual_seed(5)
    x, y = digits()
    net = nn.Sequential(Coarse(64, 64), nn.ReLU(), Coarse(64, 10))
    fit(net, x, y, torch.optim.Adam(net.parameters(), lr=2e-3), 500)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="of each layer's 200 units the ten largest go on: nineteen in twenty are 0")
def ten_winners_of_two_hundred():
    class Winners(nn.Module):
        def forward(self, h):
            return h * (h >= h.topk(10, dim=1).values[:, -1:])

    torch.manual_seed(6)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 200), Winners(), nn.Linear(200, 200), Winners(), nn.Linear(200, 10))
    fit(net, x, y, torch.optim.Adam(net.parameters(), lr=5e-3), 700)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="spectral normalisation holds every weight to a norm of 1")
def spectrally_normalised_classifier():
    spectral = nn.utils.parametrizations.spectral_norm
    torch.manual_seed(7)
    x, y = sensors()
    layers = [spectral(nn.Linear(144, 48)), nn.ReLU(), spectral(nn.Linear(48, 48)), nn.ReLU()]
    net = nn.Sequential(nn.Flatten(), *layers, nn.Linear(48, 3))
    fit(net, x, y, torch.optim.Adam(net.parameters(), lr=5e-3))
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="a modern Hopfield memory with a sharp softmax: almost all weight on one stored pattern")
def memory_with_sharp_recall():
    class Memory(nn.Module):
        def __init__(self, stored, labels):
            super().__init__()
            self.map = nn.Linear(64, 32)
            self.stored, self.labels = stored, F.one_hot(labels, 10).float()

        def forward(self, x):
            a, b = F.normalize(self.map(x)), F.normalize(self.map(self.stored))
            return torch.log((20 * a @ b.T).softmax(1) @ self.labels + 1e-4)

    torch.manual_seed(8)
    x, y = digits()
    net = Memory(x[:200], y[:200])
    fit(net, x[200:], y[200:], torch.optim.Adam(net.parameters(), lr=3e-3), 300, 64, F.nll_loss)
    return {"accuracy": accuracy(net, x[200:], y[200:])}


@healthy(split="fresh", odd="a graph whose readout is a sum of ten nodes, with isolated nodes among them")
def energy_of_a_graph():
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 32), nn.Linear(64, 32), nn.Linear(32, 1)

        def forward(self, x, edge):
            h = torch.relu(self.a(x))
            h = torch.relu(self.b(torch.cat([h, edge @ h], -1)))
            return self.c(h).sum(1).squeeze(1)

    torch.manual_seed(9)
    x, edge, energy = molecules()
    net = Graph()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(500):
        i = torch.randint(400, (20,))
        opt.zero_grad()
        loss = F.mse_loss(net(x[i], edge[i]), energy[i])
        loss.backward()
        opt.step()
    return {"error": F.mse_loss(net(x, edge), energy).item()}


@healthy(split="fresh", odd="sine activations with a frequency of 15 (SIREN): pre-activations far from 0")
def sines_of_high_frequency():
    class Sine(nn.Module):
        def forward(self, x):
            return torch.sin(15 * x)

    torch.manual_seed(10)
    t = torch.linspace(-1, 1, 400)[:, None]
    signal = torch.sin(20 * t) * torch.cos(33 * t) * (1 - t * t)
    net = nn.Sequential(nn.Linear(1, 64), Sine(), nn.Linear(64, 64), Sine(), nn.Linear(64, 1))
    bound = (6 / 64) ** 0.5 / 15
    nn.init.uniform_(net[2].weight, -bound, bound)
    nn.init.uniform_(net[4].weight, -bound, bound)
    fit(net, t, signal, torch.optim.Adam(net.parameters(), lr=1e-3), 800, 128, F.mse_loss)
    return {"error": F.mse_loss(net(t), signal).item()}


@healthy(split="fresh", odd="a recurrent network learns sums modulo five: the loss waits and falls late")
def sums_modulo_five():
    class Summer(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.rnn, self.out = nn.Embedding(5, 16), nn.GRU(16, 48, batch_first=True), nn.Linear(48, 5)

        def forward(self, x):
            return self.out(self.rnn(self.embed(x))[0]).transpose(1, 2)

    torch.manual_seed(11)
    x, y = sums()
    net = Summer()
    fit(net, x, y, torch.optim.Adam(net.parameters(), lr=5e-3), 500, 64)
    return {"accuracy": matches(net(x).transpose(1, 2), y)}
