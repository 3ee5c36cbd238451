"""Runs that look like a fault from one side and have none."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digits, iris, moons, raw_wine, regression, wine
from ..score import accuracy, hits, matches
from ..table import healthy


@healthy(split="build", odd="softmax in the model, and a loss written for probabilities")
def log_of_softmax_by_hand():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10), nn.Softmax(dim=1))
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        chosen = model(x[i]).gather(1, y[i].unsqueeze(1))
        loss = -torch.log(chosen + 1e-8).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="cross-entropy over float targets that are one-hot")
def cross_entropy_of_probabilities():
    torch.manual_seed(1)
    x, y = wine()
    target = F.one_hot(y, 3).float()
    net = nn.Sequential(nn.Linear(13, 16), nn.Tanh(), nn.Linear(16, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    for _ in range(100):
        loss = F.cross_entropy(net(x), target)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="(N, 1) against (1, N) on purpose: every pair of points")
def pairwise_embedding():
    torch.manual_seed(2)
    x, _ = iris()
    wanted = torch.cdist(x, x)
    place = nn.Parameter(0.1 * torch.randn(150, 2))
    opt = torch.optim.Adam([place], lr=0.05)
    for _ in range(150):
        a, b = place[:, 0], place[:, 1]
        squared = (a[:, None] - a[None, :]) ** 2 + (b[:, None] - b[None, :]) ** 2
        loss = F.mse_loss((squared + 1e-6).sqrt(), wanted)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": wanted.var().item()}


@healthy(split="judge", odd="one target for the whole batch, which broadcasts on purpose")
def least_squares_gan():
    torch.manual_seed(3)
    generator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    critic = nn.Sequential(nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    opt_g = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.99))
    opt_c = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.99))
    for _ in range(300):
        real = 2 + 0.5 * torch.randn(128, 1)
        fake = generator(torch.randn(128, 2))
        loss_c = ((critic(real) - torch.ones(1)) ** 2).mean() + (critic(fake.detach()) ** 2).mean()
        opt_c.zero_grad()
        loss_c.backward()
        opt_c.step()
        loss_g = ((critic(fake) - torch.ones(1)) ** 2).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
    return {"mean": fake.mean().item(), "wanted": 2.0}


@healthy(split="build", odd="a picture is optimised, the network is not: it was trained before")
def optimizes_the_input():
    torch.manual_seed(4)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(100):
        i = torch.randint(len(x), (128,))
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
    net.eval()
    picture = torch.full((10, 64), 0.3, requires_grad=True)
    opt = torch.optim.SGD([picture], lr=1.0)
    for _ in range(100):
        loss = F.cross_entropy(net(picture), torch.arange(10)) + 0.01 * picture.square().sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(net(picture), torch.arange(10))}


@healthy(split="judge", odd="a group added to the optimizer after a third of the run")
def group_added_later():
    torch.manual_seed(5)
    x, y = digits()
    body, head = nn.Sequential(nn.Linear(64, 48), nn.ReLU()), nn.Linear(48, 10)
    opt = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
    for step in range(210):
        if step == 50:
            opt.add_param_group({"params": body.parameters(), "lr": 0.05})
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(head(body(x[i])), y[i])
        body.zero_grad()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(head(body(x)), y)}


@healthy(split="build", odd="gradients set to None by hand after each step")
def grads_set_to_none():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(2, 24), nn.Linear(24, 2)

        def forward(self, x):
            return self.b(torch.relu(self.a(x)))

    torch.manual_seed(6)
    x, y = moons()
    net = Net()
    opt = torch.optim.RMSprop(net.parameters(), lr=0.01)
    for _ in range(150):
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        for p in net.parameters():
            p.grad = None
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="judge", odd="no optimizer object: the step is written by hand")
def step_by_hand():
    torch.manual_seed(7)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.5 * p.grad
                p.grad.zero_()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="missing targets are NaN and are left out of the loss")
def masked_missing_targets():
    torch.manual_seed(8)
    x, y = diabetes()
    y = torch.where(torch.rand(len(y)) < 0.3, torch.full_like(y, float("nan")), y)
    model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 1))
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(150):
        out = model(x).squeeze(1)
        known = ~y.isnan()
        loss = F.mse_loss(out[known], y[known])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"start": losses[0], "loss": losses[-1]}


@healthy(split="judge", odd="statistics computed under no_grad inside the forward")
def statistics_without_gradient():
    class Whiten(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(dim))

        def forward(self, x):
            with torch.no_grad():
                mean, std = x.mean(0), x.std(0) + 1e-5
            return self.gain * (x - mean) / std

    torch.manual_seed(9)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 48), Whiten(48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="inputs rounded and passed through numpy before any weight")
def quantized_inputs():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(64, 40), nn.Linear(40, 10)

        def forward(self, x):
            x = torch.from_numpy((x.numpy() * 4).round() / 4)
            return self.fc2(F.relu(self.fc1(x)))

    torch.manual_seed(10)
    x, y = digits()
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=12, shuffle=True):
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="judge", odd="wine as measured, behind a BatchNorm")
def batch_norm_in_front():
    torch.manual_seed(11)
    x, y = raw_wine()
    model = nn.Sequential(nn.BatchNorm1d(13), nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(120):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="a rate of 1e-5 that fits a loss summed over everything")
def tiny_rate_for_a_sum():
    torch.manual_seed(12)
    x, y = regression(400, 8)
    w = torch.zeros(8, requires_grad=True)
    opt = torch.optim.SGD([w], lr=5e-5)
    for _ in range(200):
        loss = ((x @ w - y) ** 2).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="judge", odd="Adam at 0.3 for three numbers of a curve")
def fits_a_curve():
    torch.manual_seed(13)
    t = torch.linspace(0, 5, 80)
    seen = 4.0 * torch.exp(-0.7 * t) + 1.5 + 0.05 * torch.randn(80)
    theta = torch.tensor([1.0, 1.0, 0.0], requires_grad=True)
    opt = torch.optim.Adam([theta], lr=0.3)
    for _ in range(150):
        loss = F.mse_loss(theta[0] * torch.exp(-theta[1] * t) + theta[2], seen)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "rate": theta[1].item(), "true": 0.7}


@healthy(split="build", odd="tanh outputs that end saturated, as their targets of -1 and 1 ask")
def tanh_to_signs():
    torch.manual_seed(14)
    x, y = cancer()
    sign = (2.0 * y - 1).unsqueeze(1)
    net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Tanh())
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(150):
        loss = F.mse_loss(net(x), sign)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(net(x), y)}
