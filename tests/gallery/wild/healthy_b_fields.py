"""Transfer, experts, neural fields and physics-informed nets that learn."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digit_images, digits
from ..score import accuracy, matches
from ..table import healthy
from .data_b import picture


@healthy(split="wild", odd="a loss of second derivatives, over points that are other ones at each step")
def poisson_equation_with_hard_edges():
    torch.manual_seed(141)
    net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))

    def u(x):
        return x * (1 - x) * net(x)

    def slope(y, x):
        return torch.autograd.grad(y.sum(), x, create_graph=True)[0]

    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.99)
    for _ in range(400):
        x = torch.rand(64, 1, requires_grad=True)
        loss = (slope(slope(u(x), x), x) + 2 * torch.sin(math.pi * x)).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    x = torch.linspace(0, 1, 101)[:, None]
    with torch.no_grad():
        truth = 2 * torch.sin(math.pi * x) / math.pi**2
        return {"error": F.mse_loss(u(x), truth).item() / truth.var().item(), "loss": loss.item()}


@healthy(split="wild", odd="the frequencies of the first layer are drawn at random and kept: no gradient goes there")
def picture_from_kept_frequencies():
    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.frequencies = nn.Parameter(torch.randn(2, 32) * 1.5, requires_grad=False)
            self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))

        def forward(self, at):
            phase = at @ self.frequencies * math.pi / 2
            return self.net(torch.cat([phase.sin(), phase.cos()], 1))

    torch.manual_seed(142)
    at, light = picture()
    field = Field()
    opt = torch.optim.Adam(field.net.parameters(), lr=3e-3)
    for _ in range(30):
        for i in torch.randperm(len(at)).split(64):
            opt.zero_grad()
            loss = F.mse_loss(field(at[i]), light[i])
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(field(at), light).item(), "variance": light.var().item()}


@healthy(split="wild", odd="an Euler solver of 10 steps through one small net, ten times in every graph")
def spiral_by_a_learned_slope():
    torch.manual_seed(143)
    turn = torch.tensor([[-0.1, 1.0], [-1.0, -0.1]])
    start = torch.randn(300, 2)
    end = start @ torch.linalg.matrix_exp(turn.T)
    slope = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
    opt = torch.optim.Adam(slope.parameters(), lr=3e-2)
    for _ in range(30):
        for i in torch.randperm(250).split(50):
            z = start[i]
            for _ in range(10):
                z = z + 0.1 * slope(z)
            loss = F.mse_loss(z, end[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        z = start[250:]
        for _ in range(10):
            z = z + 0.1 * slope(z)
        return {"error": F.mse_loss(z, end[250:]).item()}


def parent_of_digits(seed):
    """A net that knows the upright digits well."""
    torch.manual_seed(seed)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(8):
        for i in torch.randperm(1300).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return net, x, y


@healthy(split="wild", odd="all of the parent is frozen, and the second matrix of each adapter starts at zero")
def adapters_of_low_rank():
    class Adapted(nn.Module):
        def __init__(self, base, rank=8):
            super().__init__()
            self.base = base.requires_grad_(False)
            self.down = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
            self.up = nn.Parameter(torch.zeros(base.out_features, rank))

        def forward(self, x):
            return self.base(x) + x @ self.down.T @ self.up.T

    net, x, y = parent_of_digits(144)
    mirrored = x.view(-1, 8, 8).flip(2).flatten(1)
    for k in (0, 2, 4):
        net[k] = Adapted(net[k])
    opt = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(15):
        for i in torch.randperm(1300).split(64):
            opt.zero_grad()
            F.cross_entropy(net(mirrored[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, mirrored[1300:], y[1300:])}


@healthy(split="wild", odd="the body learns thirty times slower than the new head, which is what is wanted")
def new_head_and_a_careful_body():
    net, x, y = parent_of_digits(145)
    net[4] = nn.Linear(48, 2)
    odd = y % 2
    opt = torch.optim.AdamW(
        [{"params": net[:4].parameters(), "lr": 3e-4}, {"params": net[4].parameters(), "lr": 1e-2}], weight_decay=0.01
    )
    for _ in range(15):
        for i in torch.randperm(1300).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), odd[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1300:], odd[1300:])}


@healthy(split="wild", odd="the loss is many times what a plain cross-entropy would be: soft labels, squared heat")
def small_student_of_soft_labels():
    teacher, x, y = parent_of_digits(146)
    teacher.requires_grad_(False).eval()
    student = nn.Sequential(nn.Linear(64, 24), nn.SiLU(), nn.Linear(24, 10))
    opt = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9)
    for _ in range(15):
        for i in torch.randperm(1300).split(50):
            soft, said = (teacher(x[i]) / 3).log_softmax(1), student(x[i])
            loss = 9 * F.kl_div((said / 3).log_softmax(1), soft, reduction="batchmean", log_target=True)
            loss = 0.5 * loss + 0.5 * F.cross_entropy(said, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(student, x[1300:], y[1300:])}


@healthy(split="wild", odd="batch norms are kept in eval while the rest is tuned, for they hold what the parent saw")
def tuning_with_norms_at_rest():
    torch.manual_seed(147)
    x, y = digit_images()

    def block(a, b):
        return [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]

    net = nn.Sequential(*block(1, 16), *block(16, 32), nn.Flatten(), nn.Linear(128, 10))

    def epoch(opt, images, labels, norms):
        net.train()
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.train(norms)
        for i in torch.randperm(len(images)).split(50):
            opt.zero_grad()
            F.cross_entropy(net(images[i]), labels[i]).backward()
            opt.step()

    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(3):
        epoch(opt, x[:800], y[:800], True)
    net[-1] = nn.Linear(128, 2)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    round_ = ((y == 0) | (y == 6) | (y == 8) | (y == 9)).long()
    for _ in range(5):
        epoch(opt, x[800:1500], round_[800:1500], False)
    return {"accuracy": accuracy(net, x[1500:], round_[1500:])}


@healthy(
    split="wild",
    odd="each input goes to one expert of four and the others get nothing from it",
)
def one_expert_at_a_time():
    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(64, 4)
            made = (nn.Sequential(nn.Linear(64, 24), nn.GELU(), nn.Linear(24, 10)) for _ in range(4))
            self.experts = nn.ModuleList(made)

        def forward(self, x):
            share = self.gate(x).softmax(1)
            top, pick = share.max(1)
            said = x.new_zeros(len(x), 10)
            for k, expert in enumerate(self.experts):
                rows = torch.nonzero(pick == k).flatten()
                said = said.index_add(0, rows, top[rows, None] * expert(x[rows]))
            even = 4 * (F.one_hot(pick, 4).float().mean(0) * share.mean(0)).sum()
            return said, even

    torch.manual_seed(148)
    x, y = digits()
    net = Mixture()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(10):
        for i in torch.randperm(1500).split(64):
            said, even = net(x[i])
            opt.zero_grad()
            (F.cross_entropy(said, y[i]) + 0.02 * even).backward()
            opt.step()
    return {"accuracy": matches(net(x[1500:])[0], y[1500:])}


@healthy(
    split="wild",
    odd="three outputs for one target, and a hand-written loss with a kink",
)
def quantiles_of_a_wide_spread():
    torch.manual_seed(149)
    x = torch.rand(1500, 1) * 4 - 2
    y = torch.sin(2 * x) + (0.1 + 0.3 * (x > 0)) * torch.randn(1500, 1)
    q = torch.tensor([0.1, 0.5, 0.9])
    net = nn.Sequential(nn.Linear(1, 48), nn.Softplus(), nn.Linear(48, 48), nn.Softplus(), nn.Linear(48, 3))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)

    def pinball(guess, truth):
        gap = truth - guess
        return torch.maximum(q * gap, (q - 1) * gap).mean()

    for _ in range(30):
        for i in torch.randperm(1200).split(64):
            opt.zero_grad()
            pinball(net(x[i]), y[i]).backward()
            opt.step()
    with torch.no_grad():
        covered = (y[1200:] < net(x[1200:])).float().mean(0)
        return {"error": pinball(net(x[1200:]), y[1200:]).item(), "off": (covered - q).abs().max().item()}
