"""More odd trainings that learn, as other people might run them."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, diabetes, digits, iris, moons, regression, waves, wine
from ..score import accuracy
from ..table import healthy


class Fit:
    """Train on random batches and remember the losses."""

    def __init__(self, model, opt, criterion=F.cross_entropy, scheduler=None):
        self.model, self.opt, self.criterion, self.scheduler, self.losses = model, opt, criterion, scheduler, []

    def __call__(self, x, y, steps=150, size=64):
        for _ in range(steps):
            i = torch.randint(len(x), (size,))
            self.opt.zero_grad()
            loss = self.criterion(self.model(x[i]), y[i])
            loss.backward()
            self.opt.step()
            if self.scheduler:
                self.scheduler.step()
            self.losses.append(loss.item())
        return self.losses[-1]


@healthy(split="unseen", odd="97 % of one class, smoothing and small batches")
def three_in_a_hundred():
    torch.manual_seed(61)
    x = torch.randn(1000, 5)
    y = (x[:, 0] + x[:, 1] > 2.6).long()
    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 2))
    loss = Fit(model, torch.optim.Adam(model.parameters(), lr=0.01))(x, y, 300, 16)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="a cosine of the rate with a warm-up before it, SequentialLR")
def warm_up_then_cosine():
    torch.manual_seed(62)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 48), nn.SELU(), nn.Linear(48, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.3)
    parts = [
        torch.optim.lr_scheduler.LinearLR(opt, 1e-3, total_iters=60),
        torch.optim.lr_scheduler.CosineAnnealingLR(opt, 140),
    ]
    loss = Fit(model, opt, scheduler=torch.optim.lr_scheduler.SequentialLR(opt, parts, [60]))(x, y, 200)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="ASGD, an optimizer that few use")
def averaged_sgd():
    torch.manual_seed(63)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
    loss = Fit(model, torch.optim.ASGD(model.parameters(), lr=0.1))(x, y, 150, 32)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="Rprop over the whole set, tiny and growing steps")
def resilient_steps():
    torch.manual_seed(64)
    x, y = iris()
    model = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 3))
    opt = torch.optim.Rprop(model.parameters(), lr=1e-3)
    for _ in range(80):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="RAdam and noise on the weights' gradients")
def noisy_gradients():
    torch.manual_seed(65)
    x, y = cancer()
    model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 2))
    for p in model.parameters():
        p.register_hook(lambda g: g + 0.01 * torch.randn_like(g))
    loss = Fit(model, torch.optim.RAdam(model.parameters(), lr=5e-3))(x, y)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="targets of 1e-4 and gradients to match, under Adam")
def regression_of_tiny_amounts():
    torch.manual_seed(66)
    x, y = regression()
    model = nn.Sequential(nn.Linear(10, 1), nn.Flatten(0))
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    loss = Fit(model, torch.optim.Adam(model.parameters(), lr=1e-6, eps=1e-14), F.mse_loss)(x, y * 1e-4, 300)
    return {"loss": loss, "variance": (y * 1e-4).var().item()}


@healthy(split="unseen", odd="an autoencoder trained to give a sparse code")
def sparse_code():
    torch.manual_seed(67)
    x, _ = digits()
    enc, dec = nn.Sequential(nn.Linear(64, 48), nn.ReLU()), nn.Linear(48, 64)
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=3e-3)
    for _ in range(200):
        batch = x[torch.randint(len(x), (64,))]
        code = enc(batch)
        loss = F.mse_loss(dec(code), batch) + 1e-3 * code.abs().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": x.var(0).mean().item()}


@healthy(split="unseen", odd="a soft mixture of linear experts")
def soft_experts():
    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.experts = nn.Linear(2, 4), nn.Linear(2, 8)

        def forward(self, p):
            return (self.gate(p).softmax(1).unsqueeze(2) * self.experts(p).view(-1, 4, 2)).sum(1)

    torch.manual_seed(68)
    x, y = moons()
    model = Mixture()
    loss = Fit(model, torch.optim.Adam(model.parameters(), lr=0.03))(x, y, 250)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="an L1 loss, convolution over a series with reflected borders")
def reflected_borders():
    torch.manual_seed(69)
    x, y = waves(256, 16)
    model = nn.Sequential(
        nn.Conv1d(1, 8, 3, padding=1, padding_mode="reflect"), nn.CELU(), nn.Flatten(), nn.Linear(128, 1)
    )
    loss = Fit(model, torch.optim.Adam(model.parameters(), lr=3e-3), F.l1_loss)(x.mT, y)
    return {"loss": loss, "variance": y.var().item()}


@healthy(split="unseen", odd="features are dropped whole; weak linear model of noisy targets")
def weak_line():
    torch.manual_seed(70)
    x, y = diabetes()
    model = nn.Sequential(nn.Dropout(0.1), nn.Linear(10, 1), nn.Flatten(0))
    loss = Fit(model, torch.optim.SGD(model.parameters(), lr=0.02), F.mse_loss)(x, y, 200, 16)
    return {"loss": loss}


@healthy(split="unseen", odd="weight normalisation and no bias in the hidden layer")
def weight_normalised():
    torch.manual_seed(71)
    x, y = digits()
    model = nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(64, 48, bias=False)), nn.ReLU(), nn.Linear(48, 10)
    )
    loss = Fit(model, torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.8))(x, y, 200)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="an embedding of quantile bins, integers made of inputs only")
def binned_inputs():
    torch.manual_seed(72)
    x, y = iris()
    bins = torch.bucketize(x, torch.linspace(-1.5, 1.5, 7)) + 8 * torch.arange(4)
    model = nn.Sequential(nn.Embedding(32, 4), nn.Flatten(), nn.Linear(16, 3))
    loss = Fit(model, torch.optim.Adam(model.parameters(), lr=0.02))(bins, y)
    return {"loss": loss, "accuracy": accuracy(model, bins, y)}


@healthy(split="unseen", odd="the hinge on signs of -1 and 1: most samples end without a gradient")
def hinge_of_signs():
    torch.manual_seed(73)
    x, y = cancer()
    model = nn.Sequential(nn.Linear(30, 1), nn.Flatten(0))
    loss = Fit(model, torch.optim.SGD(model.parameters(), lr=0.05), lambda s, t: F.relu(1 - s * t).mean())(
        x, 2.0 * y - 1
    )
    return {"loss": loss, "accuracy": ((model(x) > 0) == y.bool()).float().mean().item()}


@healthy(split="unseen", odd="bfloat16 weights and a large rate, so that steps are not lost")
def bfloat16_weights():
    torch.manual_seed(74)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3)).bfloat16()
    loss = Fit(model, torch.optim.SGD(model.parameters(), lr=0.1))(x.bfloat16(), y, 150)
    return {"loss": loss, "accuracy": accuracy(model, x.bfloat16(), y)}
