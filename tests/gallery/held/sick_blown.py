"""Signals that are blown up, settle or underflow, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer
from ..score import matches
from ..table import sick
from .data import houses, reversals, waveforms


@sick(
    "UT102",
    module=(*(f"body.{i}" for i in range(20)), ""),
    split="held",
    note="ten layers of 100 initialised with nn.init.normal_ and its standard deviation of 1",
    cured=(("nn.init.normal_(p)", "nn.init.kaiming_normal_(p)"),),
)
def normal_with_its_default():
    class Regressor(nn.Module):
        def __init__(self):
            super().__init__()
            body, size = [], 8
            for _ in range(9):
                body += [nn.Linear(size, 100), nn.ReLU()]
                size = 100
            self.body = nn.Sequential(*body, nn.Linear(100, 1))
            for p in self.parameters():
                if p.dim() > 1:
                    nn.init.normal_(p)

        def forward(self, x):
            return self.body(x).squeeze(-1)

    torch.manual_seed(5)
    x, y = houses()
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    model = Regressor()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(60):
        for i in torch.randperm(len(x)).split(100):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
    return {"error": F.mse_loss(model(x), y).item()}


@sick(
    "UT102",
    module=(*(f"blocks.{i}" for i in range(30)), ""),
    split="held",
    note="thirty residual blocks without normalisation, each branch as large as its input",
    cured=(("nn.init.kaiming_normal_(self.b.weight)", "nn.init.zeros_(self.b.weight)"),),
)
def thirty_blocks_without_normalization():
    class Block(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.a, self.b = nn.Linear(dim, dim), nn.Linear(dim, dim)
            nn.init.kaiming_normal_(self.a.weight)
            nn.init.kaiming_normal_(self.b.weight)

        def forward(self, x):
            return x + self.b(F.relu(self.a(x)))

    class ResNet(nn.Module):
        def __init__(self, dim=40):
            super().__init__()
            self.stem = nn.Linear(30, dim)
            self.blocks = nn.ModuleList([Block(dim) for _ in range(30)])
            self.head = nn.Linear(dim, 2)

        def forward(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    torch.manual_seed(6)
    x, y = cancer()
    order = torch.randperm(len(x))
    train, test = order[:450], order[450:]
    model = ResNet()
    opt = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    for epoch in range(40):
        for i in train[torch.randperm(450)].split(30):
            loss = F.cross_entropy(model(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.cross_entropy(model(x[test]), y[test]).nan_to_num(1e9).item()}


@sick(
    "UT105",
    module=("attend", "attend.query", "attend.key", ""),
    split="held",
    note="embeddings multiplied by 30, no normalisation before the attention: each place reads one key",
    cured=(("* 30", "* 1"),),
)
def embeddings_too_large_for_attention():
    class Attend(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))

        def forward(self, x):
            scores = self.query(x) @ self.key(x).transpose(-2, -1) / x.shape[-1] ** 0.5
            return scores.softmax(-1) @ self.value(x)

    class Rewriter(nn.Module):
        def __init__(self, n, dim=64):
            super().__init__()
            self.embed, self.place = nn.Embedding(n, dim), nn.Embedding(6, dim)
            self.attend = Attend(dim)
            self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, n))

        def forward(self, t):
            x = (self.embed(t) + self.place(torch.arange(6))) * 30
            return self.out(self.attend(x))

    torch.manual_seed(7)
    source, target = reversals()
    model = Rewriter(9)
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(1500):
        i = torch.randint(1500, (32,))
        loss = F.cross_entropy(model(source[i]).transpose(1, 2), target[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": matches(model(source), target)}


@sick(
    "UT104",
    split="held",
    note="half precision throughout, and the mean over 64 outputs and the batch: gradients below 6e-8",
    cured=(("loss.backward()", "(loss * 8192).backward()"), ("q.grad.float()", "q.grad.float() / 8192")),
)
def half_precision_without_a_loss_scale():
    torch.manual_seed(8)
    x, kind = waveforms()
    x = x.flatten(1).half() * 0.02
    net = nn.Sequential(nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 64)).half()
    master = [p.detach().float().requires_grad_() for p in net.parameters()]
    opt = torch.optim.Adam(master, lr=1e-3, eps=1e-12)
    for step in range(500):
        i = torch.randint(900, (256,))
        loss = ((net(x[i]) - x[i]) ** 2).mean() * 1e-2
        net.zero_grad()
        loss.backward()
        for p, q in zip(master, net.parameters()):
            p.grad = q.grad.float()
        opt.step()
        with torch.no_grad():
            for p, q in zip(master, net.parameters()):
                q.copy_(p)
    return {"error": ((net(x).float() - x.float()) ** 2).mean().item()}


@sick(
    "UT105",
    module=("q", "k", ""),
    split="held",
    note="scores times the root of the width and not over it: attention is sharp, and learns less",
    cured=(("* 8", "/ 8"),),
)
def sharp_attention():
    class Rewriter(nn.Module):
        def __init__(self, n=9, dim=64):
            super().__init__()
            self.embed, self.place, self.norm = nn.Embedding(n, dim), nn.Embedding(6, dim), nn.LayerNorm(dim)
            self.q, self.k, self.v, self.out = (nn.Linear(dim, d) for d in (dim, dim, dim, n))

        def forward(self, t):
            x = self.norm(self.embed(t) + self.place(torch.arange(6)))
            scores = self.q(x) @ self.k(x).transpose(1, 2) * 8
            return self.out(x + scores.softmax(-1) @ self.v(x))

    torch.manual_seed(3)
    source, target = reversals()
    model = Rewriter()
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(1500):
        i = torch.randint(1500, (32,))
        loss = F.cross_entropy(model(source[i]).transpose(1, 2), target[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": matches(model(source), target)}
