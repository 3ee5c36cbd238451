"""Runs whose curves are noisy, flat, slow or short, and which learn what there is to learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, characters, diabetes, digit_images, digits, iris, waves, wine
from ..score import accuracy, hits, matches
from ..table import healthy


@healthy(split="build", odd="batches of 4, Adam")
def batch_of_four_tabular():
    torch.manual_seed(0)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(6):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="batches of 2, regression; the loss jumps by a factor of a hundred between steps")
def batch_of_two_regression():
    torch.manual_seed(1)
    x, y = diabetes()
    w, b = torch.zeros(10, requires_grad=True), torch.zeros((), requires_grad=True)
    opt = torch.optim.SGD([w, b], lr=3e-3)
    for _ in range(600):
        i = torch.randint(len(x), (2,))
        loss = F.mse_loss(x[i] @ w + b, y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"start": 1.0, "error": F.mse_loss(x @ w + b, y).item()}


@healthy(split="build", odd="a third of the labels is wrong: the loss cannot go low")
def noisy_labels():
    torch.manual_seed(2)
    x, y = digits()
    noisy = torch.where(torch.rand(len(y)) < 0.33, torch.randint(10, y.shape), y)
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), noisy[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="a weak signal: the best possible loss is close to chance")
def weak_signal():
    torch.manual_seed(3)
    x = torch.randn(4000, 6)
    y = (torch.rand(4000) < torch.sigmoid(1.2 * x[:, 0] - 0.8 * x[:, 1])).float()
    model = nn.Linear(6, 1)
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        i = torch.randint(4000, (256,))
        loss = F.binary_cross_entropy_with_logits(model(x[i]).squeeze(1), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), y), "weight": model.weight[0, 0].item(), "true": 1.2}


@healthy(split="build", odd="a short run of 60 steps that has not finished")
def short_run():
    torch.manual_seed(4)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(60):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="plain SGD, slow and steady: still falling at the end")
def still_falling():
    torch.manual_seed(5)
    x, y = iris()
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(300):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="perfect after 40 steps of 400: the loss is almost 0 and so are the gradients")
def perfect_early():
    torch.manual_seed(6)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 3))
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(400):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="converges to the noise floor of its targets and stays")
def noise_floor():
    torch.manual_seed(7)
    x = torch.rand(500, 1) * 6 - 3
    y = torch.sin(2 * x) + 0.5 * torch.randn_like(x)
    net = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(50):
        for i in torch.randperm(500).split(64):
            loss = F.mse_loss(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "error": F.mse_loss(net(x), torch.sin(2 * x)).item()}


@healthy(split="build", odd="label smoothing of 0.3 and dropout: the loss ends above 1")
def heavy_smoothing():
    torch.manual_seed(8)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Dropout2d(0.2), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.4), nn.Linear(108, 10),
    )  # fmt: skip
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i], label_smoothing=0.3)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="label smoothing by hand, for characters")
def smoothing_by_hand():
    torch.manual_seed(9)
    ids, vocab = characters()
    model = nn.Sequential(nn.Embedding(vocab, 16), nn.Flatten(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, vocab))
    windows = ids.unfold(0, 5, 1)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(250):
        w = windows[torch.randint(len(windows), (128,))]
        logp = model(w[:, :4]).log_softmax(-1)
        loss = -(0.9 * logp.gather(1, w[:, 4:]).mean() + 0.1 * logp.mean())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(logp, w[:, 4])}


@healthy(split="build", odd="embedding of 5000 rows, dense gradients that are zero for most of them")
def large_dense_embedding():
    class Recommender(nn.Module):
        def __init__(self):
            super().__init__()
            self.user, self.item = nn.Embedding(1000, 4), nn.Embedding(4000, 4)
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, user, item):
            return (self.user(user) * self.item(item)).sum(1) + self.bias

    torch.manual_seed(10)
    true_user, true_item = torch.randn(1000, 2), torch.randn(4000, 2)
    user, item = torch.randint(40, (3000,)), torch.randint(60, (3000,))
    rating = (true_user[user] * true_item[item]).sum(1) + 3
    model = Recommender()
    opt = torch.optim.Adagrad(model.parameters(), lr=0.3)
    for _ in range(150):
        i = torch.randint(3000, (256,))
        loss = F.mse_loss(model(user[i], item[i]), rating[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": rating.var().item()}


@healthy(split="judge", odd="sparse embedding under plain SGD, padding row never trained")
def sparse_embedding_sgd():
    class Classifier(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding(vocab + 1, 16, padding_idx=vocab, sparse=True)
            self.fc = nn.Linear(16, 2)

        def forward(self, x):
            return self.fc(self.embed(x).mean(1))

    torch.manual_seed(11)
    zen, _ = characters()
    essay, vocab = characters("heapq")
    lines = torch.cat([zen.unfold(0, 20, 4), essay.unfold(0, 20, 20)])
    y = torch.cat([torch.zeros(len(zen.unfold(0, 20, 4))), torch.ones(len(essay.unfold(0, 20, 20)))]).long()
    model = Classifier(max(vocab, int(zen.max()) + 1))
    opt = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(200):
        i = torch.randint(len(y), (64,))
        loss = F.cross_entropy(model(lines[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, lines, y)}


@healthy(split="build", odd="gradients of 1e-9 under Adam: an average over many outputs of small scale")
def adam_on_tiny_outputs():
    torch.manual_seed(12)
    x, _ = waves(200, 30)
    x = 1e-4 * x.squeeze(2)
    encoder, decoder = nn.Linear(30, 4, bias=False), nn.Linear(4, 30, bias=False)
    opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01, eps=1e-15)
    losses = []
    for _ in range(150):
        loss = F.mse_loss(decoder(encoder(x)), x)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"start": losses[0], "loss": losses[-1]}


@healthy(split="judge", odd="whole convolutional blocks dropped at random, drop-path by sample")
def drop_path():
    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.conv = nn.Conv2d(channels, channels, 3, padding=1)
            self.norm = nn.GroupNorm(2, channels)

        def forward(self, x):
            keep = (torch.rand(len(x), 1, 1, 1) < 0.6) / 0.6 if self.training else 1.0
            return x + keep * F.relu(self.norm(self.conv(x)))

    torch.manual_seed(13)
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), *[Block(8) for _ in range(6)], nn.Flatten(), nn.Linear(72, 10))
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="eight per cent positives and no correction; the loss starts and stays small")
def rare_positives():
    torch.manual_seed(14)
    x, y = cancer()
    keep = torch.cat([torch.where(y == 1)[0], torch.where(y == 0)[0][:30]])
    x, rare = x[keep], (y[keep] == 0).float()
    model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 1))
    nn.init.constant_(model[2].bias, -2.5)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(150):
        i = torch.randint(len(x), (32,))
        loss = F.binary_cross_entropy_with_logits(model(x[i]).squeeze(1), rare[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    found = (model(x).squeeze(1) > 0)[rare == 1].float().mean()
    return {"loss": loss.item(), "recall": found.item(), "accuracy": hits(model(x), rare)}
