"""Runs with odd numbers that are in order."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, characters, digit_images, digits, iris, moons, regression, wine
from ..score import accuracy, hits
from ..table import healthy


@healthy(split="build", odd="last layer initialised to zero")
def zero_last_layer():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    nn.init.zeros_(model[2].weight)
    nn.init.zeros_(model[2].bias)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="logistic regression that starts at zero")
def zero_logistic_regression():
    torch.manual_seed(1)
    x, y = cancer()
    weight, bias = torch.zeros(30, requires_grad=True), torch.zeros(1, requires_grad=True)
    opt = torch.optim.SGD([weight, bias], lr=0.1, momentum=0.9)
    for epoch in range(60):
        scores = x @ weight + bias
        loss = F.binary_cross_entropy_with_logits(scores, y.float())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(scores, y)}


@healthy(split="build", odd="half of the ReLU units are off for any one input; wide and sparse")
def wide_sparse_relu():
    torch.manual_seed(2)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 400), nn.ReLU(), nn.Linear(400, 10))
    model[0].bias.data.fill_(-0.2)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="a few units are dead and nobody misses them")
def a_few_dead_units():
    torch.manual_seed(3)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 128), nn.ReLU(), nn.Linear(128, 3))
    with torch.no_grad():
        model[0].bias[:2] = -20.0
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(100):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="97 % of one class: the first loss is far from ln 2, accuracy high from the start")
def imbalanced_classes():
    torch.manual_seed(4)
    x = torch.randn(3000, 5)
    y = (x[:, 0] - x[:, 2] > 2.6).long()
    model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 2))
    model[2].bias.data = torch.tensor([1.75, -1.75])
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(3000, (200,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    found = (model(x).argmax(1) == 1)[y == 1].float().mean().item()
    return {"loss": loss.item(), "recall": found}


@healthy(split="judge", odd="rare class weighted in the loss, sampled batches differ wildly")
def weighted_classes():
    torch.manual_seed(5)
    x, y = digits()
    rare = (y == 8).float()
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(9.0))
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(x, rare), batch_size=64, shuffle=True):
            loss = criterion(net(xb).squeeze(1), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(net(x), rare)}


@healthy(split="build", odd="every parameter in bfloat16")
def pure_bfloat16():
    torch.manual_seed(6)
    x, y = digits()
    x = x.bfloat16()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).bfloat16()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]).float(), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="a parameter that is used on some steps only")
def branch_used_sometimes():
    class Branchy(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = nn.Linear(64, 48)
            self.heads = nn.ModuleList([nn.Linear(48, 5), nn.Linear(48, 5)])

        def forward(self, x, task):
            return self.heads[task](F.relu(self.shared(x)))

    torch.manual_seed(7)
    x, y = digits()
    low, high = torch.where(y < 5)[0], torch.where(y >= 5)[0]
    model = Branchy()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(200):
        task = step % 2
        pool = (low, high)[task]
        i = pool[torch.randint(len(pool), (64,))]
        loss = F.cross_entropy(model(x[i], task), y[i] - 5 * task)
        opt.zero_grad()
        loss.backward()
        opt.step()
    right = (model(x[low], 0).argmax(1) == y[low]).float().mean() + (
        model(x[high], 1).argmax(1) + 5 == y[high]
    ).float().mean()
    return {"loss": loss.item(), "accuracy": right.item() / 2}


@healthy(split="build", odd="one-hot inputs: most columns are constant in any batch")
def one_hot_inputs():
    torch.manual_seed(8)
    ids, vocab = characters("heapq")
    x = F.one_hot(ids.unfold(0, 4, 1)[:, :3], vocab).float().flatten(1)
    y = ids[3:]
    model = nn.Sequential(nn.Linear(3 * vocab, 64), nn.ReLU(), nn.Linear(64, vocab))
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="Fourier features of a coordinate network, targets between -1 and 1")
def coordinate_network():
    torch.manual_seed(9)
    t = torch.linspace(0, 1, 256)[:, None]
    signal = torch.sin(12 * t) * torch.cos(31 * t)
    features = torch.cat([f(2 * torch.pi * k * t) for k in range(1, 9) for f in (torch.sin, torch.cos)], 1)
    net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1), nn.Tanh())
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(200):
        loss = ((net(features) - signal) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": signal.var().item()}


@healthy(split="build", odd="spectral norm: weights are made anew in each forward")
def spectral_norm():
    torch.manual_seed(10)
    x, y = moons()
    norm = nn.utils.parametrizations.spectral_norm
    net = nn.Sequential(norm(nn.Linear(2, 32)), nn.ReLU(), norm(nn.Linear(32, 32)), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(200):
        out = net(x).squeeze(1)
        loss = F.binary_cross_entropy_with_logits(out, y.float())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(out, y)}


@healthy(split="judge", odd="five networks in one batched product, no module")
def batched_ensemble():
    torch.manual_seed(11)
    x, y = iris()
    w1 = nn.Parameter(torch.randn(5, 4, 16) * 0.5)
    w2 = nn.Parameter(torch.randn(5, 16, 3) * 0.25)
    opt = torch.optim.SGD([w1, w2], lr=0.2, momentum=0.9)
    for _ in range(120):
        scores = torch.relu(x @ w1) @ w2
        loss = F.cross_entropy(scores.flatten(0, 1), y.repeat(5))
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": (scores.mean(0).argmax(1) == y).float().mean().item()}


@healthy(split="build", odd="L1 penalty drives most weights to zero")
def sparse_regression():
    torch.manual_seed(12)
    x, y = regression(400, 40)
    model = nn.Linear(40, 1)
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        error = F.mse_loss(model(x).squeeze(1), y)
        loss = error + 0.02 * model.weight.abs().sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": error.item(), "zeros": (model.weight.abs() < 0.02).float().mean().item()}


@healthy(split="judge", odd="the same batch again and again, to see whether the model can fit it")
def one_batch_sanity_check():
    torch.manual_seed(13)
    x, y = digit_images()
    x, y = x[:16], y[:16]
    model = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(144, 10))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="two classes with softmax and BCELoss on one-hot targets, which is sound")
def two_class_softmax_bce():
    torch.manual_seed(15)
    x, y = moons()
    target = F.one_hot(y, 2).float()
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2), nn.Softmax(dim=1))
    opt = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(200):
        loss = F.binary_cross_entropy(net(x), target)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}
