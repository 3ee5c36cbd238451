"""Runs in which a number that is not finite is born."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, characters, diabetes, digits, iris, moons, wine
from ..score import accuracy, hits
from ..table import sick


@sick("UT801", module=("",), split="build", note="log of a softmax that underflows")
def log_of_underflown_softmax():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(64, 10)

        def forward(self, x):
            probs = torch.softmax(self.fc(x * 16) * 30, dim=1)
            return torch.log(probs)  # <- fault

    torch.manual_seed(0)
    x, y = digits()
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        loss = F.nll_loss(model(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT801", module=("",), split="judge", note="a row of zeros divided by its own norm")
def zero_row_normalized():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))

        def forward(self, x):
            x = x / x.norm(dim=1, keepdim=True)  # <- fault
            return self.layers(x)

    torch.manual_seed(1)
    x, y = wine()
    x = x.clone()
    x[40] = 0
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(15):
        for i in torch.randperm(178).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT801", module=None, split="build", note="distance of each point to itself: sqrt has slope infinity at 0")
def distance_to_itself():
    torch.manual_seed(2)
    x, y = iris()
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    same = (y[:, None] == y).float()
    for _ in range(80):
        z = net(x)
        distance = ((z[:, None] - z) ** 2).sum(-1).sqrt()  # <- fault
        loss = (same * distance + (1 - same) * F.relu(2 - distance)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT801", module=("",), split="judge", note="exp overflows: softmax without subtracting the maximum")
def exp_overflows():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Linear(10, 10)
            self.out = nn.Linear(10, 1)

        def forward(self, x):
            scores = self.score(x) * 100
            weights = torch.exp(scores)  # <- fault
            weights = weights / weights.sum(1, keepdim=True)
            return self.out(weights * x).squeeze(1)

    torch.manual_seed(3)
    x, y = diabetes()
    model = Attention()
    opt = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for _ in range(100):
        i = torch.randint(len(x), (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT801", module=("",), split="build", note="log behind where: 0 times infinity in the backward")
def log_behind_where():
    class LogFeatures(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(64))
            self.fc = nn.Linear(64, 10)

        def forward(self, x):
            x = self.scale * x
            x = torch.where(x > 0, torch.log(x), torch.zeros_like(x))  # <- fault
            return self.fc(x)

    torch.manual_seed(4)
    x, y = digits()
    model = LogFeatures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(80):
        i = torch.randint(len(x), (100,))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT801", module=None, split="judge", note="one missing value in the inputs")
def missing_value_in_inputs():
    torch.manual_seed(5)
    x, y = cancer()
    x = x.clone()
    x[300, 7] = float("nan")
    net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(32):
            out = net(x[i]).squeeze(1)
            loss = F.binary_cross_entropy_with_logits(out, y[i].float())
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(net(x), y)}


@sick("UT801", module=("",), split="build", note="a square beyond the largest half-precision number")
def half_precision_overflows():
    class Polynomial(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Linear(10, 16)
            self.out = nn.Linear(16, 1)

        def forward(self, x):
            h = self.features(x).half() * 150
            h = h * h  # <- fault
            return self.out(h.float() / 1000).squeeze(1)

    torch.manual_seed(6)
    x, y = diabetes()
    model = Polynomial()
    opt = torch.optim.SGD(model.parameters(), lr=1e-4)
    for _ in range(100):
        loss = F.l1_loss(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT801", module=("attention", ""), split="judge", note="a row of the mask forbids every position")
def fully_masked_row():
    class Attention(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))

        def forward(self, x, mask):
            scores = self.q(x) @ self.k(x).transpose(1, 2) / x.size(-1) ** 0.5
            scores = scores.masked_fill(~mask[:, None], float("-inf"))
            return scores.softmax(-1) @ self.v(x)  # <- fault

    class Model(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.attention = Attention(16)
            self.head = nn.Linear(16, vocab)

        def forward(self, tokens, mask):
            return self.head(self.attention(self.embed(tokens), mask)[:, -1])

    torch.manual_seed(7)
    ids, vocab = characters()
    windows = ids.unfold(0, 7, 1)
    model = Model(vocab)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(100):
        w = windows[torch.randint(len(windows), (64,))]
        length = torch.randint(0, 7, (64, 1))
        mask = torch.arange(6) < length
        loss = F.cross_entropy(model(w[:, :-1], mask), w[:, -1])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT801", module=("norm", ""), split="build", note="standard deviation of the last batch, which has one row")
def deviation_of_one_row():
    class BatchStandardize(nn.Module):
        def forward(self, x):
            return (x - x.mean(0)) / (x.std(0) + 1e-5)  # <- fault

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp = nn.Linear(2, 24)
            self.norm = BatchStandardize()
            self.out = nn.Linear(24, 2)

        def forward(self, x):
            return self.out(F.relu(self.norm(self.inp(x))))

    torch.manual_seed(8)
    x, y = moons(401)
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(8):
        for i in torch.randperm(401).split(25):
            loss = F.cross_entropy(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT801", module=None, split="judge", note="entropy p log p of a probability that is 0")
def entropy_of_certainty():
    torch.manual_seed(9)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(100):
        logits = net(x)
        p = F.relu(logits) / F.relu(logits).sum(1, keepdim=True).clamp_min(1e-6)
        entropy = -(p * p.log()).sum(1).mean()  # <- fault
        loss = F.cross_entropy(logits, y) - 0.1 * entropy
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT801", module=None, split="build", note="variance as a difference of squares, its root after rounding below 0")
def root_of_negative_variance():
    torch.manual_seed(10)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for _ in range(100):
        i = torch.randint(len(x), (64,))
        batch = x[i] * 0.001 + 5
        variance = (batch**2).mean(0) - batch.mean(0) ** 2
        batch = (batch - batch.mean(0)) / (variance.sqrt() + 1e-6)  # <- fault
        loss = F.cross_entropy(net(batch), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT801", module=("",), split="judge", note="a fractional power of 0 in the backward")
def power_at_zero():
    class GammaCorrection(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(1))
            self.body = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

        def forward(self, x):
            return self.body((self.gain * x) ** 0.45)  # <- fault

    torch.manual_seed(11)
    x, y = digits()
    net = GammaCorrection()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(80):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}
