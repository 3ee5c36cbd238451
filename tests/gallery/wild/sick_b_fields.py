"""Neural fields, physics-informed nets and metric learning that do not learn."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits
from ..score import matches
from ..table import sick
from .data_b import picture


def nearest(vectors, y, known):
    """Share of the points after the first `known` whose nearest neighbour among those has their class."""
    picked = torch.cdist(vectors[known:], vectors[:known]).argmin(1)
    return (y[picked] == y[known:]).float().mean().item()


@sick(
    "UT501",
    split="wild",
    note="positions of a neural field in pixels from 0 to 1023, into tanh units",
    cured=(("at = (at + 1) * 511.5", "at = at * 1.0"),),
)
def field_over_pixel_numbers():
    class Field(nn.Module):
        def __init__(self, width=64):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, 1)

        def forward(self, at):
            return self.c(torch.tanh(self.b(torch.tanh(self.a(at)))))

    torch.manual_seed(61)
    at, light = picture()
    at = (at + 1) * 511.5  # <- fault
    field = Field()
    opt = torch.optim.Adam(field.parameters(), lr=5e-3)
    for _ in range(300):
        i = torch.randint(len(at), (256,))
        opt.zero_grad()
        loss = F.mse_loss(field(at[i]), light[i])
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(field(at), light).item(), "loss": loss.item()}


@sick(
    "UT202",
    split="wild",
    note="weights of the tanh layers drawn from a plain normal, as torch.randn gives them, for 64 inputs",
    cured=(("w.copy_(torch.randn(w.shape))", "w.copy_(torch.randn(w.shape) / w.shape[1] ** 0.5)"),),
)
def field_of_switches():
    torch.manual_seed(62)
    at, light = picture()
    wave = torch.cat([f(math.pi * k / 8 * at) for k in range(1, 17) for f in (torch.sin, torch.cos)], 1)
    layers = [nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()]
    net = nn.Sequential(*layers, nn.Linear(64, 1))
    with torch.no_grad():
        for m in layers[::2]:
            w = m.weight
            w.copy_(torch.randn(w.shape))  # <- fault
    train = torch.randperm(len(at))[:700]
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for _ in range(40):
        for i in train[torch.randperm(700)].split(100):
            opt.zero_grad()
            F.mse_loss(net(wave[i]), light[i]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(wave), light).item()}


@sick(
    "UT404",
    split="wild",
    note="the solution has shape (points, 1) and the source term (points,)",
    cured=(("second + source(x.squeeze(1))", "second + source(x)"),),
)
def poisson_equation_broadcast():
    torch.manual_seed(63)

    def source(x):
        return math.pi**2 * torch.sin(math.pi * x) / 4

    def derivative(y, x):
        return torch.autograd.grad(y.sum(), x, create_graph=True)[0]

    net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    edge = torch.tensor([[0.0], [2.0]])
    for _ in range(400):
        x = (2 * torch.rand(64, 1)).requires_grad_()
        second = derivative(derivative(net(x), x), x)
        residual = second + source(x.squeeze(1))  # <- fault
        loss = residual.square().mean() + 10 * net(edge).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    x = torch.linspace(0, 2, 101)[:, None]
    with torch.no_grad():
        return {"error": F.mse_loss(net(x), torch.sin(math.pi * x) / 4).item(), "loss": loss.item()}


@sick(
    "UT101",
    split="wild",
    note="nine layers of sigmoids: next to nothing reaches the first of them",
    cured=(("nn.Sigmoid()", "nn.Tanh()"),),
)
def oscillator_through_nine_sigmoids():
    torch.manual_seed(64)
    layers = [nn.Linear(1, 24), nn.Sigmoid()]
    for _ in range(8):
        layers += [nn.Linear(24, 24), nn.Sigmoid()]
    net = nn.Sequential(*layers, nn.Linear(24, 1))
    for m in net:
        if isinstance(m, nn.Linear):
            nn.init.xavier_normal_(m.weight)
    t = torch.linspace(-1, 1, 256)[:, None]
    u = torch.exp(-t) * torch.cos(6 * t) / 2
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(300):
        i = torch.randint(256, (64,))
        loss = F.mse_loss(net(t[i]), u[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(t), u).item()}


@sick(
    "UT205",
    split="wild",
    note="two views of a digit are drawn together and nothing is pushed apart",
    cured=(("loss = (1 - (a * b).sum(1)).mean()", "loss = F.cross_entropy(a @ b.T / 0.2, torch.arange(len(a)))"),),
)
def views_drawn_together_only():
    torch.manual_seed(65)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    opt = torch.optim.Adam(encoder.parameters(), lr=3e-3)

    def view(batch):
        return batch * (torch.rand_like(batch) > 0.25) + 0.05 * torch.randn_like(batch)

    for _ in range(20):
        for i in torch.randperm(len(x)).split(128):
            a, b = (F.normalize(encoder(view(x[i])), dim=1) for _ in range(2))
            loss = (1 - (a * b).sum(1)).mean()  # <- fault
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"accuracy": nearest(F.normalize(encoder(x), dim=1), y, 1000), "loss": loss.item()}


@sick(
    "UT801",
    split="wild",
    note="the root of a squared distance that is zero for an anchor and itself: its slope is infinite",
    cured=(("gap.square().sum(2).sqrt()", "(gap.square().sum(2) + 1e-8).sqrt()"),),
)
def distances_to_oneself():
    torch.manual_seed(66)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.LeakyReLU(0.1), nn.Linear(48, 8))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(150):
        i = torch.randint(1000, (64,))
        z = net(x[i])
        gap = z[:, None] - z
        far = gap.square().sum(2).sqrt()  # <- fault
        same = y[i, None] == y[i]
        hardest = (far * same).amax(1) - far.masked_fill(same, 1e9).amin(1)
        loss = F.softplus(hardest).mean() + 1e-3 * far.mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = net(x)
        return {"accuracy": nearest(z, y, 1000) if z.isfinite().all() else float("nan"), "loss": loss.item()}


@sick(
    "UT311",
    split="wild",
    note="Adam with eps=1 for a triplet net",
    cured=(("eps=1.0", "eps=1e-8"),),
)
def triplets_under_a_large_epsilon():
    torch.manual_seed(67)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.Mish(), nn.Linear(64, 12))
    criterion = nn.TripletMarginLoss(margin=1.0)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1.0)  # <- fault
    groups = [torch.nonzero(y[:1000] == k).flatten() for k in range(10)]
    g = torch.Generator().manual_seed(0)

    def draw(classes):
        return torch.stack([groups[k][torch.randint(len(groups[k]), (), generator=g)] for k in classes.tolist()])

    for _ in range(150):
        k = torch.randint(10, (64,), generator=g)
        other = (k + torch.randint(1, 10, (64,), generator=g)) % 10
        loss = criterion(net(x[draw(k)]), net(x[draw(k)]), net(x[draw(other)]))
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = net(x)
        centre = torch.stack([z[i].mean(0) for i in groups])
        return {"accuracy": matches(-torch.cdist(z[1000:], centre), y[1000:]), "loss": loss.item()}


@sick(
    "UT301",
    split="wild",
    note="a sine network under Adam at 0.1",
    cured=(("lr=0.1", "lr=1e-3"),),
)
def sine_network_shaken():
    class Sine(nn.Module):
        def __init__(self, a, b, w0, first=False):
            super().__init__()
            self.linear, self.w0 = nn.Linear(a, b), w0
            bound = 1 / a if first else math.sqrt(6 / a) / w0
            nn.init.uniform_(self.linear.weight, -bound, bound)

        def forward(self, x):
            return torch.sin(self.w0 * self.linear(x))

    torch.manual_seed(68)
    at, light = picture()
    siren = nn.Sequential(Sine(2, 48, 10, first=True), Sine(48, 48, 10), nn.Linear(48, 1))
    opt = torch.optim.Adam(siren.parameters(), lr=0.1)  # <- fault
    for _ in range(200):
        i = torch.randint(len(at), (256,))
        loss = F.mse_loss(siren(at[i]), light[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(siren(at), light).item(), "loss": loss.item()}
