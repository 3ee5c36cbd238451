"""Outputs that cannot say what is asked, shapes that broadcast, and first infinities."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import diabetes, digits, standardized
from ..score import accuracy, matches
from ..table import sick
from .data_a import bags, fabrics, rentals, scaled_houses


@sick(
    "UT404",
    split="blind",
    note="outputs (N, 1) against prices (N,)",
    cured=(("criterion(model(inputs), prices)", "criterion(model(inputs).squeeze(1), prices)"),),
)
def prices_of_houses_in_a_notebook():
    torch.manual_seed(1)
    x, y = scaled_houses()
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(30):
        for inputs, prices in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), prices)
            loss.backward()
            optimizer.step()
    return {"error": criterion(model(x).squeeze(1), y).item()}


@sick(
    "UT404",
    split="blind",
    note="a relative error by hand: (N,) minus (N, 1)",
    cured=(("readings = net(x[i]).flatten()", "readings = net(x[i])"),),
)
def error_relative_to_the_spread():
    class Pool(nn.Module):
        def __init__(self):
            super().__init__()
            self.each, self.all = nn.Sequential(nn.Linear(2, 32), nn.ReLU()), nn.Linear(32, 1)

        def forward(self, x):
            return self.all(self.each(x - x.mean(1, keepdim=True)).mean(1))

    torch.manual_seed(2)
    x, y = bags()
    net = Pool()
    opt = torch.optim.RMSprop(net.parameters(), lr=3e-3)
    for step in range(600):
        i = torch.randint(500, (32,))
        readings = net(x[i]).flatten()
        loss = (((readings - y[i]) / (0.2 + y[i])) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": F.mse_loss(net(x), y).item()}


@sick(
    "UT404",
    split="blind",
    note="the oscillator's position is (N, 1), its force (N,): the residual of the equation is (N, N)",
    cured=(("force = torch.cos(2 * t[:, 0])", "force = torch.cos(2 * t)"),),
)
def driven_oscillator():
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(1200):
        t = (3 * torch.rand(64, 1)).requires_grad_()
        position = t**2 * net(t)
        (speed,) = torch.autograd.grad(position.sum(), t, create_graph=True)
        (change,) = torch.autograd.grad(speed.sum(), t, create_graph=True)
        force = torch.cos(2 * t[:, 0])
        loss = (change + position - force).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    t = torch.linspace(0, 3, 100)[:, None]
    return {"error": F.mse_loss(t**2 * net(t), (t.cos() - (2 * t).cos()) / 3).item()}


@sick(
    "UT405",
    split="blind",
    note="a sigmoid at the end, and standardized targets",
    cured=(("nn.Linear(32, 1), nn.Sigmoid()", "nn.Linear(32, 1)"),),
)
def progression_of_a_disease():
    torch.manual_seed(4)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.mse_loss(net(x[i]).squeeze(1), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT405",
    split="blind",
    note="a ReLU after the last layer of a decoder whose pixels are standardized",
    cured=(("return F.relu(self.decoder", "return (self.decoder"),),
)
def fabrics_through_a_narrow_code():
    class AutoEncoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(300, 64), nn.Tanh(), nn.Linear(64, 24))
            self.decoder = nn.Sequential(nn.Linear(24, 64), nn.Tanh(), nn.Linear(64, 300))

        def forward(self, x):
            return F.relu(self.decoder(self.encoder(x)))

    torch.manual_seed(5)
    x = standardized(fabrics()[0].flatten(1))
    net = AutoEncoder()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(30):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i]), x[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), x).item()}


@sick(
    "UT405",
    split="blind",
    note="tanh for counts that go up to forty",
    cured=((", nn.Tanh(), nn.Flatten(0)", ", nn.Flatten(0)"),),
)
def number_of_bicycles():
    torch.manual_seed(6)
    x, y = rentals()
    net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1), nn.Tanh(), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(25):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.l1_loss(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.l1_loss(net(x), y).item()}


@sick(
    "UT406",
    split="blind",
    note="the mean is taken over the sets of the batch, not over the points of a set",
    cured=(("h.mean(0, keepdim=True).mean(1).expand(len(x), -1)", "h.mean(1)"),),
)
def mean_over_a_bag():
    torch.manual_seed(7)
    x, y = bags()
    lift = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
    out = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(x):
        h = lift(x - x.mean(1, keepdim=True))
        pooled = h.mean(0, keepdim=True).mean(1).expand(len(x), -1)
        return out(pooled)

    opt = torch.optim.Adam([*lift.parameters(), *out.parameters()], lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            F.mse_loss(forward(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(forward(x), y).item()}


@sick(
    "UT602",
    split="blind",
    note="a layer norm over the single number that a bottleneck lets through: only its bias is left",
    cured=(("nn.LayerNorm(1)", "nn.Identity()"),),
)
def a_score_of_one_number():
    torch.manual_seed(8)
    x, y = scaled_houses()
    net = nn.Sequential(nn.Linear(5, 24), nn.GELU(), nn.Linear(24, 1), nn.LayerNorm(1), nn.Linear(1, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(20):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@sick(
    "UT801",
    split="blind",
    note="distances by a square root, whose slope at a pair of equal codes is infinite",
    cured=(("(z[a] - z[b]).pow(2).sum(1).sqrt()", "((z[a] - z[b]).pow(2).sum(1) + 1e-6).sqrt()"),),
)
def pairs_of_digits_by_distance():
    torch.manual_seed(9)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 8))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(500):
        i = torch.randperm(len(x))[:64]
        a, b = torch.randint(64, (2, 128))
        z = net(x[i])
        apart = (z[a] - z[b]).pow(2).sum(1).sqrt()
        same = (y[i][a] == y[i][b]).float()
        loss = (same * apart**2 + (1 - same) * F.relu(2 - apart) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    z = net(x).detach()
    centres = torch.stack([z[y == k].mean(0) for k in range(10)])
    return {"accuracy": matches(-torch.cdist(z, centres), y)}


@sick(
    "UT801",
    split="blind",
    note="columns are divided by their deviation, which is 0 for pixels that are always black",
    cured=(("x.std(0)", "(x.std(0) + 1e-6)"),),
)
def pixels_standardized_by_column():
    torch.manual_seed(10)
    x, y = digits()
    x = (x - x.mean(0)) / x.std(0)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT801",
    split="blind",
    note="a Poisson likelihood by hand, with the logarithm of a rate that nothing keeps above 0",
    cured=(
        ("rate = net(x[i])[:, 0]", "rate = F.softplus(net(x[i])[:, 0])"),
        ("mse_loss(net(x)", "mse_loss(F.softplus(net(x))"),
    ),
)
def likelihood_of_rentals_by_hand():
    torch.manual_seed(21)
    x, y = rentals()
    x = standardized(x)
    net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(40):
        for i in torch.randperm(800).split(40):
            rate = net(x[i])[:, 0]
            loss = (rate - y[i] * torch.log(rate)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}
