"""Targets that cannot be reached and signs that are wrong, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import diabetes, digits, waves
from ..score import accuracy, hits
from ..table import sick
from .data import discs, reviews


@sick(
    "UT405",
    module=("decoder", "4", "net.4", ""),
    split="held",
    note="a ReLU on the output of a regression whose targets are standardised",
    cured=(("nn.Linear(32, 1), nn.ReLU())", "nn.Linear(32, 1))"),),
)
def rectified_regression():
    torch.manual_seed(8)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1), nn.ReLU())
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(120):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT405",
    split="held",
    note="tanh at the end of a forecaster of values between 0 and 40",
    cured=(("torch.tanh(self.fc(h[:, -1]))", "self.fc(h[:, -1])"),),
)
def tanh_against_degrees():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(1, 24, batch_first=True)
            self.fc = nn.Linear(24, 1)

        def forward(self, x):
            h, _ = self.gru(x)
            return torch.tanh(self.fc(h[:, -1]))

    torch.manual_seed(9)
    x, y = waves()
    degrees = 20 + 20 * y
    model = Forecaster()
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(60):
        for i in torch.randperm(256).split(32):
            opt.zero_grad()
            loss = F.l1_loss(model(x[i]), degrees[i])
            loss.backward()
            opt.step()
    return {"error": F.l1_loss(model(x), degrees).item()}


@sick(
    "UT406",
    split="held",
    note="posterior collapse: the divergence is summed over the batch, the error averaged over pixels",
    cured=(
        (
            "kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum()",
            "kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum() / len(i) / 640",
        ),
    ),
)
def posterior_collapse():
    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))
            self.decode = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 64))

        def forward(self, x):
            mu, log_var = self.encode(x).chunk(2, 1)
            z = mu + torch.randn_like(mu) * (log_var / 2).exp()
            return self.decode(z), mu, log_var

    torch.manual_seed(10)
    x, _ = digits()
    vae = VAE()
    opt = torch.optim.Adam(vae.parameters(), lr=2e-3)
    for epoch in range(50):
        for i in torch.randperm(len(x)).split(64):
            out, mu, log_var = vae(x[i])
            kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum()
            loss = F.mse_loss(out, x[i]) + kl
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(vae(x)[0], x).item()}


@sick(
    "UT406",
    module=("attend", ""),
    split="held",
    note="the padding mask is the wrong way round: words are hidden, padding is read",
    cured=(("tokens != 0", "tokens == 0"),),
)
def padding_mask_inverted():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(60, 24, padding_idx=0)
            self.score = nn.Linear(24, 1)
            self.fc = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2))

        def forward(self, tokens):
            x = self.embed(tokens)
            mask = tokens != 0
            weight = self.score(x).squeeze(-1).masked_fill(mask, -1e9).softmax(-1)
            return self.fc((weight[..., None] * x).sum(1))

    torch.manual_seed(11)
    tokens, lengths, mood = reviews()
    tokens = F.pad(tokens, (0, 1))
    model = Reader()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(40):
        for i in torch.randperm(800).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(model(tokens[i]), mood[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, tokens, mood)}


@sick(
    "UT407",
    split="held",
    note='reduction="sum" over masks of 256 pixels with a rate meant for a mean',
    cured=(('reduction="sum"', 'reduction="mean"'),),
)
def summed_over_pixels():
    torch.manual_seed(12)
    x, mask = discs()
    net = nn.Sequential(nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 1, 5, padding=2))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(40):
        for i in torch.randperm(400).split(20):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x[i]), mask[i], reduction="sum")
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), mask)}


@sick(
    "UT409",
    split="held",
    note="the evidence lower bound is minimised: its sign was forgotten",
    cured=(("        elbo.backward()\n", "        (-elbo).backward()\n"),),
)
def lower_bound_minimised():
    torch.manual_seed(13)
    x, _ = digits()
    enc, dec = nn.Linear(64, 16), nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=1e-3)
    for step in range(1200):
        i = torch.randint(len(x), (64,))
        mu, log_var = enc(x[i]).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (log_var / 2).exp()
        fit = -F.binary_cross_entropy(dec(z), x[i], reduction="none").sum(1)
        kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1)
        elbo = (fit - 0.1 * kl).mean()
        opt.zero_grad()
        elbo.backward()
        opt.step()
    return {"error": F.mse_loss(dec(enc(x)[:, :8]), x).item()}


@sick(
    "UT409",
    split="held",
    note="a cosine similarity that should be high is minimised as it stands",
    cured=(
        (
            "loss = F.cosine_similarity(model(x[i]), goal[i]).mean()",
            "loss = 1 - F.cosine_similarity(model(x[i]), goal[i]).mean()",
        ),
    ),
)
def similarity_as_a_loss():
    torch.manual_seed(14)
    x, y = digits()
    goal = torch.randn(10, 24)[y]
    model = nn.Sequential(nn.Linear(64, 48), nn.SiLU(), nn.Linear(48, 24))
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(64):
            loss = F.cosine_similarity(model(x[i]), goal[i]).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": 1 - F.cosine_similarity(model(x), goal).mean().item()}
