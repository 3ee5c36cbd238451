"""Outputs that do not fit their targets, as other people might shape them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digits, iris, regression, waves
from ..score import hits
from ..table import sick


@sick("UT403", module=("score", ""), split="unseen", note="cross-entropy over one score with probabilities as targets")
def one_score_for_probabilities():
    class Screening(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Linear(30, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.2))
            self.score = nn.Linear(24, 1)

        def forward(self, row):
            return self.score(self.stem(row))

    def run_epoch(net, loader, optimizer):
        net.train()
        for row, ill in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(row), ill)
            loss.backward()
            optimizer.step()
        return loss.item()

    torch.manual_seed(411)
    rows, ill = cancer()
    loader = DataLoader(TensorDataset(rows, ill.float().unsqueeze(1)), batch_size=57, shuffle=True)
    net = Screening()
    optimizer = torch.optim.NAdam(net.parameters(), lr=2e-3)
    for epoch in range(10):
        loss = run_epoch(net, loader, optimizer)
    net.eval()
    return {"loss": loss, "accuracy": hits(net(rows), ill)}


@sick("UT403", module=("classify", ""), split="unseen", note="softmax over one output, then BCELoss")
def softmax_of_one_then_bce():
    class Pooling(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(1, 12)
            self.attend = nn.Linear(12, 1)
            self.classify = nn.Linear(12, 1)

        def forward(self, series):
            h = torch.tanh(self.embed(series))
            weight = self.attend(h).softmax(1)
            return self.classify((weight * h).sum(1)).softmax(-1)

    torch.manual_seed(412)
    series, after = waves(300, 20)
    rising = (after > series[:, -1]).float()
    series = series[:, -3:] - series[:, -4:-1]
    model = Pooling()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        i = torch.randint(300, (64,))
        prob = model(series[i])
        loss = nn.functional.binary_cross_entropy(prob, rising[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(series), rising, 0.5)}


@sick("UT403", module=("judge", ""), split="unseen", note="same or not: softmax of one score, squared error")
def pair_judge():
    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.tower = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
            self.judge = nn.Linear(8, 1)

        def forward(self, one, two):
            gap = (self.tower(one) - self.tower(two)).abs()
            return torch.softmax(self.judge(gap), dim=1)

    torch.manual_seed(413)
    x, y = digits()
    small = y < 3
    x, y = x[small], y[small]
    model = Siamese()
    opt = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    for _ in range(150):
        a, b = torch.randint(len(x), (2, 64))
        same = (y[a] == y[b]).float()
        verdict = model(x[a], x[b]).squeeze(1)
        loss = F.mse_loss(verdict, same)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(verdict, same, 0.5)}


@sick("UT404", module=None, split="unseen", note="a small transformer over features, Huber, (N, 1) against (N,)")
def feature_transformer_broadcasts():
    class FeatureTransformer(nn.Module):
        def __init__(self, n, d=16):
            super().__init__()
            self.scale = nn.Parameter(torch.randn(n, d) * 0.3)
            self.shift = nn.Parameter(torch.randn(n, d) * 0.3)
            self.block = nn.TransformerEncoderLayer(d, 2, 32, dropout=0, batch_first=True, norm_first=True)
            self.read = nn.Linear(d, 1)

        def forward(self, x):
            return self.read(self.block(x.unsqueeze(-1) * self.scale + self.shift).mean(1))

    torch.manual_seed(414)
    x, y = diabetes()
    model = FeatureTransformer(10)
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
    huber = nn.HuberLoss()
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = huber(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "mse": F.mse_loss(model(x)[:, 0], y).item()}


@sick("UT404", module=None, split="unseen", note="two tasks; the regression half of the loss broadcasts")
def second_task_broadcasts():
    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = nn.Sequential(nn.Linear(3, 24), nn.Tanh())
            self.kind = nn.Linear(24, 3)
            self.length = nn.Linear(24, 1)

        def forward(self, x):
            h = self.shared(x)
            return self.kind(h), self.length(h)

    torch.manual_seed(415)
    x, species = iris()
    petal, x = x[:, 2], x[:, [0, 1, 3]]
    model = TwoHeads()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        kind, length = model(x)
        loss = 0.2 * F.cross_entropy(kind, species) + ((length - petal) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "mse": F.mse_loss(length[:, 0], petal).item()}


@sick("UT404", module=None, split="unseen", note="Gaussian likelihood by hand, mean of (N,) against targets of (N, 1)")
def gaussian_likelihood_broadcasts():
    class Gaussian(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(10, 32), nn.SiLU(), nn.Linear(32, 2))

        def forward(self, x):
            mean, log_scale = self.net(x).unbind(-1)
            return mean, log_scale.clamp(-3, 3)

    torch.manual_seed(416)
    x, y = regression(400, 10)
    loader = DataLoader(TensorDataset(x, y.unsqueeze(1)), batch_size=50, shuffle=True)
    model = Gaussian()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(25):
        for xb, yb in loader:
            mean, log_scale = model(xb)
            loss = (0.5 * ((yb - mean) / log_scale.exp()) ** 2 + log_scale).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "mse": F.mse_loss(model(x)[0], y).item()}
