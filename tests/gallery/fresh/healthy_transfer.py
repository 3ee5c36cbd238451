"""Frozen, adapted, distilled, continued and meta-learned networks, as other people might write them."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits
from ..score import accuracy, matches
from ..table import healthy
from .data import high_digits, low_digits


def small(out, width=64):
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, out))


def run(net, x, y, steps=300, lr=2e-3, parameters=None):
    opt = torch.optim.Adam(parameters or net.parameters(), lr=lr)
    for _ in range(steps):
        i = torch.randint(len(x), (32,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return net


@healthy(split="fresh", odd="only a new head is trained on features of another task, kept in eval mode")
def head_on_low_digits():
    torch.manual_seed(0)
    net = run(small(5, 128), *low_digits())
    net.requires_grad_(False).eval()
    net[-1] = nn.Linear(128, 5)
    x, y = high_digits()
    run(net, x, y, 500, 5e-3, list(net[-1].parameters()))
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="all weights are fine-tuned at 0.0003 after another task: they hardly move")
def fine_tuned_on_high_digits():
    torch.manual_seed(1)
    net = run(small(5), *low_digits())
    net[-1] = nn.Linear(64, 5)
    x, y = high_digits()
    run(net, x, y, 400, 3e-4)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="adapters of rank 4 beside frozen layers, of which one factor begins at 0")
def adapters_of_rank_four():
    class Adapted(nn.Module):
        def __init__(self, base):
            super().__init__()
            self.base = base.requires_grad_(False)
            self.down = nn.Parameter(0.1 * torch.randn(base.in_features, 4))
            self.up = nn.Parameter(torch.zeros(4, base.out_features))

        def forward(self, x):
            return self.base(x) + x @ self.down @ self.up

    torch.manual_seed(2)
    net = run(small(5), *low_digits())
    for k in (0, 2, 4):
        net[k] = Adapted(net[k])
    x, y = high_digits()
    run(net, x, y, 400, 5e-3, [p for p in net.parameters() if p.requires_grad])
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="no weight is trained but the biases and the head")
def biases_and_head():
    torch.manual_seed(3)
    net = run(small(5, 128), *low_digits())
    net[-1] = nn.Linear(128, 5)
    x, y = high_digits()
    for name, p in net.named_parameters():
        p.requires_grad_("bias" in name or name.startswith("4"))
    run(net, x, y, 500, 5e-3, [p for p in net.parameters() if p.requires_grad])
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="two phases: the head alone, then everything with a new optimizer at a tenth of the rate")
def head_first_then_all():
    torch.manual_seed(4)
    net = run(small(5), *low_digits())
    x, y = high_digits()
    net[-1] = nn.Linear(64, 5)
    net[:4].requires_grad_(False)
    run(net, x, y, 200, 5e-3, list(net[-1].parameters()))
    net.requires_grad_(True)
    run(net, x, y, 300, 5e-4)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="one task after the other, with a memory: the loss jumps where tasks change")
def five_tasks_with_a_memory():
    torch.manual_seed(5)
    x, y = digits()
    net = small(10)
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.5)
    for task in range(5):
        now = ((y // 2) == task).nonzero().squeeze(1)
        before = ((y // 2) < task).nonzero().squeeze(1)
        for _ in range(150):
            i = now[torch.randint(len(now), (16,))]
            if len(before):
                i = torch.cat([i, before[torch.randint(len(before), (48,))]])
            loss = F.cross_entropy(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="few-shot by prototypes: every step has other classes under the same numbers")
def prototypes_of_episodes():
    torch.manual_seed(6)
    x, y = digits()
    seen = [(y[:1200] == c).nonzero().squeeze(1) for c in range(10)]
    kept = [1200 + (y[1200:] == c).nonzero().squeeze(1) for c in range(10)]
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))

    def episode(rows, classes):
        drawn = torch.stack([rows[c][torch.randperm(len(rows[c]))[:10]] for c in classes])
        z = net(x[drawn])
        centres, queries = z[:, :3].mean(1), z[:, 3:].flatten(0, 1)
        return -(torch.cdist(queries, centres) ** 2), torch.arange(len(classes)).repeat_interleave(7)

    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(500):
        loss = F.cross_entropy(*episode(seen, torch.randperm(10)[:5].tolist()))
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": sum(matches(*episode(kept, range(10))) for _ in range(20)) / 20}


@healthy(split="fresh", odd="model-agnostic meta-learning: gradients through gradients, weights as a dictionary")
def adapts_in_one_step():
    torch.manual_seed(7)
    net = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)

    def adapted(shift, x, y):
        weights = dict(net.named_parameters())
        for _ in range(2):
            loss = F.mse_loss(torch.func.functional_call(net, weights, (x,)), y)
            gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
            weights = {k: w - 0.05 * g for (k, w), g in zip(weights.items(), gradients)}
        q = 4 * torch.rand(20, 1) - 2
        return F.mse_loss(torch.func.functional_call(net, weights, (q,)), torch.sin(q + shift))

    losses = []
    for step in range(700):
        loss = 0
        for _ in range(3):
            shift, x = 3 * torch.rand(1), 4 * torch.rand(10, 1) - 2
            loss = loss + adapted(shift, x, torch.sin(x + shift)) / 3
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"error": sum(losses[-100:]) / 100, "first": sum(losses[:20]) / 20}


@healthy(split="fresh", odd="a curriculum: the noise on the inputs grows, and the loss with it")
def noise_that_grows():
    torch.manual_seed(8)
    x, y = digits()
    net = small(10)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(600):
        i = torch.randint(len(x), (64,))
        seen = x[i] + 0.8 * step / 600 * torch.randn(64, 64)
        loss = F.cross_entropy(net(seen), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="weights are pruned by masks every hundred steps: nine in ten are 0 in the end")
def pruned_step_by_step():
    torch.manual_seed(9)
    x, y = digits()
    net = small(10, 128)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    masks = {p: torch.ones_like(p) for p in net.parameters() if p.dim() == 2}
    for step in range(800):
        if step in (200, 300, 400, 500):
            for p in masks:
                share = 0.9 * (step - 100) / 400
                masks[p] = (p.abs() > p.abs().flatten().quantile(share)).float()
        i = torch.randint(len(x), (32,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            for p, mask in masks.items():
                p.mul_(mask)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="pretrained by rebuilding its inputs; the decoder is then thrown away")
def encoder_kept_decoder_dropped():
    torch.manual_seed(10)
    x, y = digits()
    encoder, decoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU()), nn.Linear(32, 64)
    opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    for step in range(300):
        i = torch.randint(len(x), (64,))
        loss = F.mse_loss(decoder(encoder(x[i])), x[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    net = nn.Sequential(encoder, nn.Linear(32, 10))
    run(net, x, y, 400, 3e-3, list(net[1].parameters()))
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="two networks teach each other: each loss has the other's detached answer in it")
def mutual_learning():
    torch.manual_seed(11)
    x, y = digits()
    nets = [small(10, 24), small(10, 24)]
    opts = [torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.8) for net in nets]
    for step in range(500):
        i = torch.randint(len(x), (32,))
        outs = [net(x[i]) for net in nets]
        for mine, other, opt in zip(outs, outs[::-1], opts):
            soft = other.detach().softmax(1)
            loss = F.cross_entropy(mine, y[i]) + F.kl_div(mine.log_softmax(1), soft, reduction="batchmean")
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(nets[0], x, y)}
