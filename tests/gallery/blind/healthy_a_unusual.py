"""Unusual units and numbers: straight-through steps, spikes, frozen random features, double and half precision."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from ..data import cancer, digits, wine
from ..score import accuracy, matches
from ..table import healthy
from .data_a import fabrics, plant, rings, scaled_houses


@healthy(split="blind", odd="weights of -1 and 1, whose gradient goes straight through the sign")
def weights_of_one_bit():
    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx, w):
            ctx.save_for_backward(w)
            return torch.where(w >= 0, 1.0, -1.0)

        @staticmethod
        def backward(ctx, grad):
            return grad * (ctx.saved_tensors[0].abs() <= 1)

    class Binary(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.w = nn.Parameter(0.1 * torch.randn(b, a))

        def forward(self, x):
            return F.linear(x, Sign.apply(self.w) / self.w.shape[1] ** 0.5)

    torch.manual_seed(1)
    x, y = digits()
    net = nn.Sequential(Binary(64, 128), nn.BatchNorm1d(128), nn.Hardtanh(), Binary(128, 10), nn.BatchNorm1d(10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(15):
        net.train()
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
            with torch.no_grad():
                for m in (net[0], net[3]):
                    m.w.clamp_(-1, 1)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="units that fire or do not, over eight ticks, with a surrogate slope; most are silent")
def spikes_of_digits():
    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v):
            ctx.save_for_backward(v)
            return (v > 0).float()

        @staticmethod
        def backward(ctx, grad):
            return grad / (1 + 4 * ctx.saved_tensors[0].abs()) ** 2

    torch.manual_seed(2)
    x, y = digits()
    first, last = nn.Linear(64, 96), nn.Linear(96, 10)

    def forward(x):
        v, total = torch.zeros(len(x), 96), 0
        for tick in range(8):
            v = 0.8 * v + first(x)
            fired = Spike.apply(v - 1)
            v = v - fired.detach()
            total = total + last(fired)
        return total / 8

    opt = torch.optim.Adam([*first.parameters(), *last.parameters()], lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(forward(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(forward(x), y)}


@healthy(split="blind", odd="weights rounded to four bits in the forward pass (quantisation-aware)")
def four_bits_for_fabrics():
    def rounded(w):
        step = w.detach().abs().max() / 7
        return w + ((w / step).round() * step - w).detach()

    class Conv(nn.Conv2d):
        def forward(self, x):
            return F.conv2d(x, rounded(self.weight), self.bias, self.stride)

    torch.manual_seed(3)
    x, y = fabrics()
    net = nn.Sequential(Conv(3, 16, 3, 2), nn.ReLU6(), Conv(16, 24, 3), nn.ReLU6(), nn.Flatten(), nn.Linear(96, 6))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(15):
        for i in torch.randperm(600).split(25):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="a first layer frozen as drawn, on purpose: 600 random features and a linear readout")
def random_features_and_a_readout():
    torch.manual_seed(4)
    x, y = digits()
    lift = nn.Linear(64, 600).requires_grad_(False)
    nn.init.normal_(lift.weight, std=0.3)
    net = nn.Sequential(lift, nn.ReLU(), nn.Linear(600, 10))
    opt = torch.optim.Adam(net[2].parameters(), lr=2e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="float64 throughout, with a loss of 1e-6 and less at the end")
def double_precision_to_the_end():
    torch.manual_seed(5)
    x = torch.linspace(-2, 2, 120, dtype=torch.float64)[:, None]
    y = torch.sin(2 * x) + 0.3 * x**2
    net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1)).double()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 1500)
    for step in range(1500):
        opt.zero_grad()
        F.mse_loss(net(x), y).backward()
        opt.step()
        schedule.step()
    return {"error": (F.mse_loss(net(x), y) / y.var()).item()}


@healthy(split="blind", odd="all weights in bfloat16 with a rate that is large enough for it")
def all_in_bfloat16_at_a_fair_rate():
    torch.manual_seed(6)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(torch.bfloat16)
    opt = torch.optim.SGD(net.parameters(), lr=0.2)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i].bfloat16()).float(), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x.bfloat16()), y)}


@healthy(split="blind", odd="self-normalising units with alpha dropout, ten layers deep and no norm")
def ten_selu_layers():
    torch.manual_seed(7)
    x, y = cancer()
    layers, a = [], 30
    for _ in range(10):
        fc = nn.Linear(a, 32)
        nn.init.normal_(fc.weight, std=a**-0.5)
        nn.init.zeros_(fc.bias)
        layers += [fc, nn.SELU(), nn.AlphaDropout(0.02)]
        a = 32
    net = nn.Sequential(*layers, nn.Linear(32, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(20):
        net.train()
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="direction and length of the weights are learned apart; lengths begin at a hundredth")
def lengths_and_directions():
    torch.manual_seed(8)
    x, y = scaled_houses()
    net = nn.Sequential(
        weight_norm(nn.Linear(5, 32)),
        nn.GELU(),
        weight_norm(nn.Linear(32, 32)),
        nn.GELU(),
        weight_norm(nn.Linear(32, 1)),
    )
    with torch.no_grad():
        net[4].parametrizations.weight.original0.fill_(0.01)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@healthy(split="blind", odd="every layer has a largest stretch of 1; a temperature of 10 makes up for it")
def no_layer_stretches():
    torch.manual_seed(9)
    x, y = wine()
    net = nn.Sequential(
        spectral_norm(nn.Linear(13, 32)),
        nn.ReLU(),
        spectral_norm(nn.Linear(32, 32)),
        nn.ReLU(),
        spectral_norm(nn.Linear(32, 3)),
    )
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(30):
        net.train()
        for i in torch.randperm(len(x)).split(16):
            opt.zero_grad()
            F.cross_entropy(10 * net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="only the largest of four pieces passes: three of four have no gradient")
def pieces_of_a_maxout():
    torch.manual_seed(10)
    x, y = rings()
    lift, out = nn.Linear(2, 64), nn.Linear(16, 3)
    opt = torch.optim.SGD([*lift.parameters(), *out.parameters()], lr=0.1, momentum=0.9)
    for epoch in range(30):
        for i in torch.randperm(600).split(40):
            opt.zero_grad()
            F.cross_entropy(out(lift(x[i]).unflatten(1, (16, 4)).amax(2)), y[i]).backward()
            opt.step()
    return {"accuracy": matches(out(lift(x).unflatten(1, (16, 4)).amax(2)), y)}


@healthy(split="blind", odd="feedback through fixed random weights: a backward pass that is wrong, and works")
def feedback_by_chance():
    class Aligned(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, b, back):
            ctx.save_for_backward(x, back)
            return x @ w.T + b

        @staticmethod
        def backward(ctx, grad):
            x, back = ctx.saved_tensors
            return grad @ back, grad.T @ x, grad.sum(0), None

    torch.manual_seed(11)
    x, y = digits()
    sizes = [64, 64, 64, 10]
    layers = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
    backs = [torch.randn_like(layer.weight) / 8 for layer in layers]

    def forward(h):
        for k, (layer, back) in enumerate(zip(layers, backs)):
            h = Aligned.apply(h, layer.weight, layer.bias, back)
            h = torch.tanh(h) if k < 2 else h
        return h

    opt = torch.optim.SGD([p for layer in layers for p in layer.parameters()], lr=0.05, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(forward(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(forward(x), y)}


@healthy(split="blind", odd="a small net makes the weights of another, which has no parameters of its own")
def weights_made_by_a_net():
    torch.manual_seed(12)
    x, made, _ = plant()
    maker = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 5 * 16 + 16 + 16))
    with torch.no_grad():
        maker[2].weight *= 0.5

    def forward(x):
        w = maker(x[:, :1])
        first, b, last = w[:, :80].view(-1, 16, 5), w[:, 80:96], w[:, 96:]
        h = torch.tanh(torch.einsum("nhi,ni->nh", first, x[:, 1:]) + b)
        return (h * last).sum(1, keepdim=True)

    opt = torch.optim.Adam(maker.parameters(), lr=1e-2)
    for epoch in range(40):
        for i in torch.randperm(700).split(50):
            opt.zero_grad()
            F.mse_loss(forward(x[i]), made[i]).backward()
            opt.step()
    return {"error": (F.mse_loss(forward(x), made) / made.var()).item()}
