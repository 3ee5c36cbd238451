"""Gradients cut on their way, from refactorings that went wrong."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images
from ..score import matches
from ..table import sick
from .data import communities, discs, reversals


@sick(
    "UT103",
    module=("encoder", "embed", ""),
    split="held",
    note="the encoder's state is detached before the decoder takes it over, as in truncated backpropagation",
    cured=(("state = state.detach()", "state = state + 0"),),
)
def state_of_the_encoder_detached():
    class Seq2Seq(nn.Module):
        def __init__(self, n, dim=32):
            super().__init__()
            self.embed = nn.Embedding(n, dim)
            self.encoder = nn.GRU(dim, dim, batch_first=True)
            self.answer = nn.Embedding(n, dim)
            self.decoder = nn.GRU(dim, dim, batch_first=True)
            self.out = nn.Linear(dim, n)

        def forward(self, source, target):
            _, state = self.encoder(self.embed(source))
            state = state.detach()  # <- fault
            shifted = F.pad(target[:, :-1], (1, 0))
            hidden, _ = self.decoder(self.answer(shifted), state)
            return self.out(hidden)

    torch.manual_seed(1)
    source, target = reversals()
    model = Seq2Seq(9)
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(30):
        for i in torch.randperm(len(source)).split(50):
            loss = F.cross_entropy(model(source[i], target[i]).transpose(1, 2), target[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(model(source, target), target)}


@sick(
    "UT103",
    module=("first", ""),
    split="held",
    note="a neighbour average written with NumPy in the middle of a graph network",
    cured=(("torch.from_numpy(self.adj.numpy() @ h.detach().numpy())", "self.adj @ h"),),
)
def numpy_in_the_middle():
    class GraphNet(nn.Module):
        def __init__(self, adj):
            super().__init__()
            self.adj = adj
            self.first = nn.Linear(12, 6)
            self.second = nn.Linear(6, 3)

        def forward(self, x):
            h = torch.relu(self.first(x))
            h = torch.from_numpy(self.adj.numpy() @ h.detach().numpy())  # <- fault
            return self.adj @ self.second(h)

    torch.manual_seed(2)
    x, adj, group = communities()
    net = GraphNet(adj)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    known = torch.randperm(240)[:160]
    for epoch in range(1500):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x)[known], group[known])
        loss.backward()
        optimizer.step()
    return {"accuracy": matches(net(x), group)}


@sick(
    "UT103",
    split="held",
    note="log-probabilities collected with .item() and made into a tensor again, with requires_grad=True",
    cured=(
        ("log_probs.append(dist.log_prob(action).item())", "log_probs.append(dist.log_prob(action))"),
        ("torch.tensor(log_probs, requires_grad=True)", "torch.stack(log_probs)"),
    ),
)
def log_probabilities_as_numbers():
    torch.manual_seed(3)
    policy = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    hits = []
    for episode in range(1200):
        log_probs, rewards = [], []
        for state in torch.randint(4, (8,)):
            dist = torch.distributions.Categorical(logits=policy(F.one_hot(state, 4).float()))
            action = dist.sample()
            log_probs.append(dist.log_prob(action).item())
            rewards.append(float(action == (state + 1) % 4))
        hits.append(sum(rewards) / 8)
        returns = torch.tensor(rewards) - 0.25
        loss = -(torch.tensor(log_probs, requires_grad=True) * returns).sum()  # <- fault
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"accuracy": float(np.mean(hits[-50:]))}


@sick(
    "UT103",
    module=("tower", "tower.0", "tower.3", ""),
    split="held",
    note="a no_grad left around both towers of a siamese network; only the layer on top learns",
    cured=(("with torch.no_grad():", "with torch.enable_grad():"),),
)
def towers_under_no_grad():
    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.tower = nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3), nn.Flatten()
            )
            self.top = nn.Linear(16, 1)

        def forward(self, a, b):
            with torch.no_grad():
                left = self.tower(a)  # <- fault
                right = self.tower(b)
            return self.top((left - right).abs()).squeeze(1)

    torch.manual_seed(4)
    x, y = digit_images()
    net = Siamese()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for step in range(1200):
        a = torch.randint(len(x), (64,))
        same = torch.rand(64) < 0.5
        b = torch.stack([torch.nonzero((y == y[i]) == s)[torch.randint(100, ()), 0] for i, s in zip(a, same)])
        loss = F.binary_cross_entropy_with_logits(net(x[a], x[b]), (y[a] == y[b]).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    a, b = torch.randint(len(x), (2, 4000))
    equal = y[a] == y[b]
    right = (net(x[a], x[b]) > 0) == equal
    return {"accuracy": (right[equal].float().mean() + right[~equal].float().mean()).item() / 2}


@sick(
    "UT103",
    split="held",
    note="masks are rounded before the Dice loss",
    cured=(("torch.round(torch.sigmoid(scores))", "torch.sigmoid(scores)"),),
)
def dice_of_rounded_masks():
    torch.manual_seed(5)
    x, mask = discs()
    net = nn.Sequential(nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 1, 5, padding=2))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(40):
        for xb, mb in DataLoader(TensorDataset(x, mask), batch_size=20, shuffle=True):
            scores = net(xb)
            pred = torch.round(torch.sigmoid(scores))  # <- fault
            overlap = (pred * mb).sum((1, 2, 3))
            loss = 1 - ((2 * overlap + 1) / (pred.sum((1, 2, 3)) + mb.sum((1, 2, 3)) + 1)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    hit = ((net(x) > 0) & (mask > 0)).sum() / ((net(x) > 0) | (mask > 0)).sum()
    return {"accuracy": hit.item()}
