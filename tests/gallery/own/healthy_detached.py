"""Gradients that are stopped on purpose, and estimators that go round a hard decision."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digit_images, digits, moons
from ..score import accuracy, matches
from ..table import healthy


@healthy(split="build", odd="BYOL: the target network is detached and follows slowly; the loss may rise")
def byol():
    torch.manual_seed(0)
    x, y = digits()
    online = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 16))
    predictor = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
    target = copy.deepcopy(online)
    opt = torch.optim.Adam([*online.parameters(), *predictor.parameters()], lr=2e-3)
    for _ in range(150):
        batch = x[torch.randint(len(x), (128,))]
        a, b = batch + 0.2 * torch.randn_like(batch), batch + 0.2 * torch.randn_like(batch)
        with torch.no_grad():
            ta, tb = target(a), target(b)
        loss = (
            -F.cosine_similarity(predictor(online(a)), tb).mean() - F.cosine_similarity(predictor(online(b)), ta).mean()
        )
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            for p, q in zip(target.parameters(), online.parameters()):
                p.lerp_(q, 0.02)
    return {"loss": loss.item(), "least": -2.0}


@healthy(split="judge", odd="SimSiam: one branch detached in each term")
def simsiam():
    class SimSiam(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 24)
            )
            self.norm = nn.BatchNorm1d(24, affine=False)
            self.predictor = nn.Sequential(nn.Linear(24, 12), nn.ReLU(), nn.Linear(12, 24))

        def forward(self, a, b):
            za, zb = self.norm(self.encoder(a)), self.norm(self.encoder(b))
            return self.predictor(za), self.predictor(zb), za.detach(), zb.detach()

    torch.manual_seed(1)
    x, _ = digit_images()
    model = SimSiam()
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(150):
        batch = x[torch.randint(len(x), (128,))]
        pa, pb, za, zb = model(batch + 0.1 * torch.randn_like(batch), batch + 0.1 * torch.randn_like(batch))
        loss = -0.5 * (F.cosine_similarity(pa, zb).mean() + F.cosine_similarity(pb, za).mean())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "least": -1.0, "spread": F.normalize(za, dim=1).std(0).mean().item()}


@healthy(split="build", odd="mean teacher: an averaged copy gives targets, a few labels only")
def mean_teacher():
    torch.manual_seed(2)
    x, y = digits()
    student = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    teacher = copy.deepcopy(student)
    for p in teacher.parameters():
        p.detach_()
    opt = torch.optim.Adam(student.parameters(), lr=3e-3)
    for step in range(200):
        batch = x[torch.randint(len(x), (128,))]
        supervised = F.cross_entropy(student(x[:200]), y[:200])
        wanted = teacher(batch + 0.1 * torch.randn_like(batch)).softmax(1)
        consistency = F.mse_loss(student(batch).softmax(1), wanted)
        loss = supervised + min(1.0, step / 100) * consistency
        opt.zero_grad()
        loss.backward()
        opt.step()
        for p, q in zip(teacher.parameters(), student.parameters()):
            p.data.mul_(0.95).add_(q.data, alpha=0.05)
    return {"loss": loss.item(), "accuracy": accuracy(teacher, x, y)}


@healthy(split="judge", odd="binary units with a straight-through gradient, x + (hard - x).detach()")
def straight_through_bits():
    class Bits(nn.Module):
        def forward(self, x):
            soft = torch.sigmoid(x)
            return soft + ((soft > 0.5).float() - soft).detach()

    torch.manual_seed(3)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), Bits(), nn.Linear(32, 10))
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="sign in the forward, identity in the backward, as a Function")
def binarized_weights():
    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx, w):
            ctx.save_for_backward(w)
            return w.sign()

        @staticmethod
        def backward(ctx, grad):
            (w,) = ctx.saved_tensors
            return grad * (w.abs() <= 1)

    class BinaryLinear(nn.Linear):
        def forward(self, x):
            return F.linear(x, Sign.apply(self.weight), self.bias) / self.in_features**0.5

    torch.manual_seed(4)
    x, y = digits()
    model = nn.Sequential(BinaryLinear(64, 96), nn.BatchNorm1d(96), nn.Hardtanh(), BinaryLinear(96, 10))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="hard Gumbel choice: argmax in the forward, soft in the backward")
def gumbel_choice():
    class Chooser(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Linear(64, 24)
            self.decode = nn.Linear(24, 64)

        def forward(self, x, tau):
            return self.decode(F.gumbel_softmax(self.encode(x), tau=tau, hard=True))

    torch.manual_seed(5)
    x, _ = digits()
    model = Chooser()
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(300):
        batch = x[torch.randint(len(x), (256,))]
        loss = F.mse_loss(model(batch, max(0.5, 1 - step / 300)), batch, reduction="sum") / len(batch)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item() / 64, "variance": x.var(0).mean().item()}


@healthy(split="build", odd="argmax of the targets and of the scores for a metric in the loop, under no_grad")
def metrics_in_the_loop():
    torch.manual_seed(6)
    x, y = moons()
    onehot = F.one_hot(y, 2)
    net = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    history = []
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(64):
            logits = net(x[i])
            loss = F.cross_entropy(logits, onehot[i].argmax(1))
            opt.zero_grad()
            loss.backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            history.append(matches(net(x), y))
        net.train()
    return {"start": history[0], "accuracy": history[-1]}


@healthy(split="judge", odd="domain adaptation: a layer that turns the gradient round")
def gradient_reversal():
    class Reverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, grad):
            return -0.1 * grad

    class Adapted(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
            self.label, self.domain = nn.Linear(48, 10), nn.Linear(48, 2)

        def forward(self, x):
            h = self.features(x)
            return self.label(h), self.domain(Reverse.apply(h))

    torch.manual_seed(7)
    x, y = digits()
    model = Adapted()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        side = torch.randint(2, (128,))
        label, domain = model(x[i] + 0.3 * side[:, None])
        loss = F.cross_entropy(label, y[i]) + F.cross_entropy(domain, side)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(label, y[i])}


@healthy(split="build", odd="an auxiliary head on detached features watches and does not teach")
def watching_head():
    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU())
            self.head = nn.Linear(32, 10)
            self.probe = nn.Linear(32, 1)

        def forward(self, x):
            h = self.body(x)
            return self.head(h), self.probe(h.detach())

    torch.manual_seed(8)
    x, y = digits()
    model = Watched()
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        scores, ink = model(x[i])
        loss = F.cross_entropy(scores, y[i]) + F.mse_loss(ink, x[i].mean(1, keepdim=True))
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, y[i])}
