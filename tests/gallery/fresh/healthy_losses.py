"""Losses that are tiny, huge, negative, rising or flat by design, as other people might write them."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits
from ..score import accuracy
from ..table import healthy
from .data import bars, bikes, faults, recall, spirals


def small(a, b, width=48):
    return nn.Sequential(nn.Linear(a, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, b))


def steps(count, total, size):
    for _ in range(count):
        yield torch.randint(total, (size,))


@healthy(split="fresh", odd="random labels are learned by heart, on purpose")
def random_labels_by_heart():
    torch.manual_seed(0)
    x, _ = digits()
    x, y = x[:200], torch.randint(10, (200,))
    net = small(64, 10, 256)
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for i in steps(600, 200, 50):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="half the labels are random: the loss stays near 2 and the answers are right")
def half_of_the_labels_are_random():
    torch.manual_seed(1)
    x, y = digits()
    given = torch.where(torch.rand(len(y)) < 0.5, torch.randint(10, (len(y),)), y)
    net = small(64, 10)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.1)
    for i in steps(400, len(x), 64):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), given[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="a density: the loss is a negative log-likelihood far below 0")
def likelihood_of_narrow_gaussians():
    torch.manual_seed(2)
    x = torch.rand(500, 2)
    y = 0.01 * torch.sin(3 * x.sum(1)) + 0.0005 * torch.randn(500)
    net = small(2, 2)
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for i in steps(1200, 500, 50):
        mean, log_scale = net(x[i]).unbind(1)
        mean, log_scale = 0.01 * mean, log_scale - 4
        loss = (log_scale + 0.5 * ((y[i] - mean) / log_scale.exp()) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": F.l1_loss(0.01 * net(x)[:, 0], y).item() / 0.005, "loss": loss.item()}


@healthy(split="fresh", odd="squared errors in bikes: a loss of thousands, with targets scaled inside the model")
def loss_of_thousands():
    class Scaled(nn.Module):
        def __init__(self, x, y):
            super().__init__()
            self.at, self.by, self.mean, self.std = x.mean(0), x.std(0), y.mean(), y.std()
            self.net = small(6, 1)

        def forward(self, x):
            return self.mean + self.std * self.net((x - self.at) / self.by).squeeze(1)

    torch.manual_seed(3)
    x, y = bikes()
    net = Scaled(x, y)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for i in steps(600, len(x), 50):
        opt.zero_grad()
        loss = F.mse_loss(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"error": (F.mse_loss(net(x), y) / y.var()).item()}


@healthy(split="fresh", odd="most of the target is noise: the loss falls by a tenth and there is no more to find")
def nine_tenths_of_it_is_noise():
    torch.manual_seed(4)
    x = torch.randn(3000, 5)
    truth = torch.sin(x[:, 0]) + 0.5 * x[:, 1]
    y = truth / 0.82 * 0.32 + 0.95 * torch.randn(3000)
    net = small(5, 1, 16)
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.5)
    for i in steps(600, 3000, 64):
        opt.zero_grad()
        loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": torch.corrcoef(torch.stack([net(x).squeeze(1), truth]))[0, 1].item()}


@healthy(split="fresh", odd="a generator and a critic with hinge losses: neither loss tells how good they are")
def hinge_gan_on_a_ring():
    torch.manual_seed(5)
    make = nn.Sequential(nn.Linear(4, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 2))
    judge = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
    g = torch.optim.Adam(make.parameters(), lr=1e-3, betas=(0.5, 0.9))
    d = torch.optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.9))
    for step in range(1200):
        angle = 6.283 * torch.rand(128, 1)
        real = torch.cat([angle.cos(), angle.sin()], 1) * 1.5
        fake = make(torch.randn(128, 4))
        loss = F.relu(1 - judge(real)).mean() + F.relu(1 + judge(fake.detach())).mean()
        d.zero_grad()
        loss.backward()
        d.step()
        cheat = -judge(fake).mean()
        g.zero_grad()
        cheat.backward()
        g.step()
    radius = make(torch.randn(1000, 4)).norm(dim=1)
    return {"error": (radius - 1.5).abs().mean().item()}


@healthy(split="fresh", odd="the cosine of views against 63 others: the loss stays above 2 and the features are good")
def views_told_apart():
    torch.manual_seed(6)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 24))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for i in steps(500, 1500, 64):
        a, b = (F.normalize(net(x[i] * (torch.rand(64, 64) > 0.2)), dim=1) for _ in range(2))
        loss = F.cross_entropy(a @ b.T / 0.5, torch.arange(64))
        opt.zero_grad()
        loss.backward()
        opt.step()
    z = F.normalize(net(x), dim=1)
    return {"accuracy": (y[:1500][(z[1500:] @ z[:1500].T).argmax(1)] == y[1500:]).float().mean().item()}


@healthy(split="fresh", odd="triplets with the hardest negative of the batch: the loss rests near its margin for long")
def hardest_triplets():
    torch.manual_seed(7)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for i in steps(300, 1500, 64):
        z = F.normalize(net(x[i]), dim=1)
        away, same = 2 - 2 * z @ z.T, y[i][:, None] == y[i][None]
        far = torch.where(same, away, -1.0).amax(1)
        near = torch.where(same, 9.0, away).amin(1)
        loss = F.relu(far - near + 0.3).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    z = F.normalize(net(x), dim=1)
    return {"accuracy": (y[:1500][(z[1500:] @ z[:1500].T).argmax(1)] == y[1500:]).float().mean().item()}


@healthy(split="fresh", odd="soft labels of a teacher at temperature 4: two log-softmaxes of other scores, a factor 16")
def taught_at_temperature_four():
    torch.manual_seed(8)
    x, y = digits()
    teacher, student = small(64, 10, 128), small(64, 10, 12)
    for net in (teacher, student):
        opt = torch.optim.Adam(net.parameters(), lr=3e-3)
        for i in steps(400, 1500, 64):
            if net is teacher:
                loss = F.cross_entropy(net(x[i]), y[i])
            else:
                with torch.no_grad():
                    soft = (teacher(x[i]) / 4).softmax(1)
                loss = 16 * F.kl_div((net(x[i]) / 4).log_softmax(1), soft, reduction="batchmean")
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(student, x[1500:], y[1500:])}


@healthy(split="fresh", odd="label smoothing of 0.4: no loss below 1.4 is to be had")
def smoothed_by_four_tenths():
    torch.manual_seed(9)
    x, y = bars()
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for i in steps(300, 900, 30):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i], label_smoothing=0.4)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="four in a hundred are bad, and the loss weighs them: it is larger than chance says")
def rare_parts_weighed():
    torch.manual_seed(10)
    x, bad = faults()
    net = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for i in steps(500, 1200, 64):
        opt.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(x[i]).squeeze(1), bad[i].float(), pos_weight=torch.tensor(24.0))
        loss.backward()
        opt.step()
    score = net(x)
    return {"accuracy": recall(torch.cat([-score, score], 1), bad)}


@healthy(split="fresh", odd="an energy model: the loss is a difference of energies about 0, of either sign")
def energies_lowered_and_raised():
    torch.manual_seed(11)
    x, _ = spirals()
    net = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for i in steps(600, 600, 64):
        real, fake = net(x[i]), net(4 * torch.rand(64, 2) - 2)
        loss = real.mean() - fake.mean() + 0.2 * (real**2 + fake**2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    other = net(4 * torch.rand(600, 2) - 2)
    return {"accuracy": (net(x) < other.median()).float().mean().item()}
