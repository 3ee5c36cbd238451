"""Unusual architectures and courses over sequences that learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import healthy
from .data_b import climate, cue, forecast, patches, pixels, seeded, tones


@healthy(split="blind", odd="a stream in the order of time, one pass, never shuffled, each step on the next hour")
def a_stream_in_the_order_of_time():
    torch.manual_seed(341)
    x, y = forecast()
    gru, fc = nn.GRU(3, 24, batch_first=True), nn.Linear(24, 1)
    opt = torch.optim.RMSprop([*gru.parameters(), *fc.parameters()], lr=3e-3)
    misses = []
    for i in torch.arange(700).repeat(3).split(5):
        loss = F.mse_loss(fc(gru(x[i])[0][:, -1])[:, 0], y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        misses.append(loss.item())
    return {"error": sum(misses[-140:]) / 140, "trivial": 1.0}


@healthy(split="blind", odd="weights of -1 and 1 by a straight-through sign in the forward pass")
def weights_of_plus_and_minus_one():
    class Binary(nn.Linear):
        def forward(self, x):
            w = self.weight
            hard = w.sign() * w.abs().mean()
            return F.linear(x, w + (hard - w).detach(), self.bias)

    torch.manual_seed(342)
    x, y = pixels()
    net = nn.Sequential(
        Binary(64, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        Binary(128, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        Binary(128, 10),
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        net.train()
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.1}


@healthy(
    split="blind",
    odd="a fixed point without gradients and one last step with them: most of the depth is not in the graph",
)
def a_fixed_point_and_one_step():
    class DEQ(nn.Module):
        def __init__(self, d=48):
            super().__init__()
            self.inject, self.w, self.fc = nn.Linear(64, d), nn.Linear(d, d, bias=False), nn.Linear(d, 10)

        def forward(self, x):
            u = self.inject(x)
            with torch.no_grad():
                z = torch.zeros_like(u)
                for _ in range(12):
                    z = torch.tanh(self.w(z) + u)
            return self.fc(torch.tanh(self.w(z) + u))

    torch.manual_seed(343)
    x, y = pixels()
    net = DEQ()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.1}


@healthy(
    split="blind",
    odd="ten points a task, inner steps by hand, outer steps to where those end, without a backward",
)
def waves_learned_to_be_learned():
    from torch.func import functional_call

    torch.manual_seed(344)
    net = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
    opt = torch.optim.SGD(net.parameters(), lr=1.0)

    def task(g=None):
        height, start = 0.5 + 2 * torch.rand(2, generator=g)
        x = torch.rand(20, 1, generator=g) * 6 - 3
        return x, height * torch.sin(x + start)

    def adapt(x, y, steps):
        w = {k: v.detach().clone().requires_grad_() for k, v in net.named_parameters()}
        for _ in range(steps):
            loss = F.mse_loss(functional_call(net, w, (x,)), y)
            grads = torch.autograd.grad(loss, list(w.values()))
            w = {k: (v - 0.03 * g).detach().requires_grad_() for (k, v), g in zip(w.items(), grads)}
        return w

    rate = 0.3
    for step in range(500):
        w = adapt(*task(), steps=8)
        opt.zero_grad()
        for k, p in net.named_parameters():
            p.grad = rate * (1 - step / 500) * (p.detach() - w[k].detach())
        opt.step()
    g, errors, sizes = seeded(0), [], []
    for _ in range(40):
        x, y = task(g)
        w = adapt(x[:10], y[:10], steps=16)
        errors.append(F.mse_loss(functional_call(net, w, (x[10:],)), y[10:]).item())
        sizes.append(y.var().item())
    return {"error": sum(errors) / 40, "trivial": sum(sizes) / 40}


@healthy(split="blind", odd="a network makes the weights of another, whose own parameters are none")
def weights_made_by_a_network():
    torch.manual_seed(345)
    x, y = tones()
    key = torch.randn(8)
    maker = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 24 * 9 + 24))
    nn.init.normal_(maker[2].weight, std=0.1)
    fc = nn.Linear(48, 4)
    opt = torch.optim.Adam([*maker.parameters(), *fc.parameters()], lr=3e-3)

    def net(u):
        w = maker(key)
        h = F.relu(F.conv1d(u, w[:216].view(24, 1, 9), w[216:], stride=2))
        return fc(torch.cat([h.mean(-1), h.amax(-1)], 1))

    for epoch in range(25):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y), "trivial": 0.26}


@healthy(split="blind", odd="a memory of eight slots, written and read by soft addresses that are alike at first")
def a_memory_of_eight_slots():
    class Memory(nn.Module):
        def __init__(self, d=24, slots=8):
            super().__init__()
            self.cell, self.slots = nn.GRUCell(6 + d, 32), slots
            self.write, self.where, self.read, self.fc = (
                nn.Linear(32, d),
                nn.Linear(32, slots),
                nn.Linear(32, slots),
                nn.Linear(32 + d, 4),
            )

        def forward(self, x):
            n = len(x)
            h, m, r = x.new_zeros(n, 32), x.new_zeros(n, self.slots, 24), x.new_zeros(n, 24)
            for t in range(x.shape[1]):
                h = self.cell(torch.cat([x[:, t], r], 1), h)
                at = self.where(h).softmax(-1)[..., None]
                m = (1 - at) * m + at * torch.tanh(self.write(h))[:, None]
                r = (self.read(h).softmax(-1)[..., None] * m).sum(1)
            return self.fc(torch.cat([h, r], 1))

    torch.manual_seed(346)
    x, y = cue(length=8)
    net = Memory()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(12):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.27}


@healthy(
    split="blind", odd="raw kelvins come in, and a layer inside the network takes their mean off and puts it on again"
)
def levels_taken_off_and_put_on():
    class RevIN(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.fc = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 1)

        def forward(self, x):
            mean, std = x.mean(1, keepdim=True), x.std(1, keepdim=True) + 1e-5
            out = self.fc(self.gru((x - mean) / std)[0][:, -1])[:, 0]
            return out * std[:, 0, 0] + mean[:, 0, 0]

    torch.manual_seed(347)
    x, y = climate()
    net = RevIN()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item(), "trivial": y.var().item()}


@healthy(
    split="blind", odd="an Euler solver of sixteen steps with one shared field, weights of it used again and again"
)
def sixteen_steps_of_one_field():
    torch.manual_seed(348)
    x, y = patches()
    x = x.flatten(1)
    lift, field, fc = (
        nn.Linear(64, 32),
        nn.Sequential(nn.Linear(32, 64), nn.Softplus(), nn.Linear(64, 32)),
        nn.Linear(32, 10),
    )
    opt = torch.optim.Adam([*lift.parameters(), *field.parameters(), *fc.parameters()], lr=2e-3)

    def net(u):
        h = lift(u)
        for _ in range(16):
            h = h + field(h) / 16
        return fc(h)

    for epoch in range(8):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y), "trivial": 0.1}


@healthy(
    split="blind",
    odd="five experts for three regimes: some get next to no gradient, none is forced to be used",
)
def experts_for_regimes():
    torch.manual_seed(349)
    g = seeded(349)
    x = torch.randn(1500, 6, generator=g)
    rules = torch.randn(3, 6, generator=g)
    regime = (x[:, 0] > -0.4).long() + (x[:, 0] > 0.4).long()
    y = (x * rules[regime]).sum(1)
    experts, router = nn.ModuleList(nn.Linear(6, 1) for _ in range(5)), nn.Linear(6, 5)
    opt = torch.optim.Adam([*experts.parameters(), *router.parameters()], lr=1e-2)

    def net(u):
        return (router(u).softmax(1) * torch.cat([e(u) for e in experts], 1)).sum(1)

    for epoch in range(40):
        for i in torch.randperm(1500).split(50):
            opt.zero_grad()
            F.mse_loss(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item(), "trivial": y.var().item()}


@healthy(
    split="blind", odd="a random Fourier layer that is never trained, inputs of 0 to 1, and high frequencies on purpose"
)
def a_song_by_random_frequencies():
    torch.manual_seed(350)
    t = torch.linspace(0, 1, 1000)[:, None]
    y = torch.sin(40 * t) + 0.5 * torch.sin(95 * t + 1)
    b = 15 * torch.randn(1, 64)
    net = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))
    features = torch.cat([torch.sin(6.28 * t @ b), torch.cos(6.28 * t @ b)], 1)
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(40):
        for i in torch.randperm(1000).split(50):
            opt.zero_grad()
            F.mse_loss(net(features[i]), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(features), y).item(), "trivial": y.var().item()}
