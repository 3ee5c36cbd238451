"""Further things that examples do, each with an odd look: other losses, optimizers and targets."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from ..data import cancer, digit_images, digits
from ..score import accuracy, hits, matches
from ..table import healthy
from .data_c import headlines, passengers, rare_defects, squares_and_masks


@healthy(
    split="wild",
    odd="word vectors by negative sampling: the output vectors begin at nought, the loss is a sum",
)
def word_vectors_by_negative_sampling():
    torch.manual_seed(141)
    texts, labels = headlines()
    vocab = {w: k for k, w in enumerate(sorted({w for t in texts for w in t}))}
    tokens = torch.tensor([[vocab[w] for w in t] for t in texts])
    pairs = torch.cat([torch.stack([tokens[:, a], tokens[:, b]], 1) for a in range(8) for b in range(8) if a != b])
    inner, outer = nn.Embedding(len(vocab), 16), nn.Embedding(len(vocab), 16)
    nn.init.uniform_(inner.weight, -0.5 / 16, 0.5 / 16)
    nn.init.zeros_(outer.weight)
    opt = torch.optim.Adam([*inner.parameters(), *outer.parameters()], lr=0.02)
    for epoch in range(2):
        for i in torch.randperm(len(pairs)).split(256):
            centre, context = pairs[i].T
            noise = torch.randint(len(vocab), (len(i), 5))
            c = inner(centre)
            positive = F.logsigmoid((c * outer(context)).sum(-1))
            negative = F.logsigmoid(-(outer(noise) @ c.unsqueeze(-1)).squeeze(-1)).sum(-1)
            loss = -(positive + negative).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        z = inner.weight[tokens].mean(1)
    centres = torch.stack([z[:400][labels[:400] == c].mean(0) for c in range(4)])
    return {"accuracy": matches(-torch.cdist(z[400:], centres), labels[400:]), "loss": loss.item()}


@healthy(split="wild", odd="SIREN: sines of 30 times the input, uniform weights, an image learnt by heart on purpose")
def siren_learns_a_digit_by_heart():
    class Sine(nn.Module):
        def __init__(self, i, o, first=False):
            super().__init__()
            self.linear = nn.Linear(i, o)
            bound = 1 / i if first else math.sqrt(6 / i) / 30
            nn.init.uniform_(self.linear.weight, -bound, bound)

        def forward(self, x):
            return torch.sin(30 * self.linear(x))

    torch.manual_seed(142)
    picture = F.interpolate(digit_images()[0][7:8], scale_factor=3, mode="bilinear")[0, 0]
    axis = torch.linspace(-1, 1, 24)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).view(-1, 2)
    target = picture.reshape(-1, 1) * 2 - 1
    net = nn.Sequential(Sine(2, 48, True), Sine(48, 48), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(300):
        loss = F.mse_loss(net(grid), target)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item()}


@healthy(
    split="wild",
    odd="Muon written by hand for the matrices, Adam for the biases: steps of one size whatever the gradient",
)
def muon_by_hand():
    class Muon(torch.optim.Optimizer):
        def __init__(self, params, lr=0.02, momentum=0.95):
            super().__init__(params, {"lr": lr, "momentum": momentum})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    buffer = self.state[p].setdefault("m", torch.zeros_like(p))
                    buffer.lerp_(p.grad, 1 - group["momentum"])
                    g = p.grad.lerp(buffer, group["momentum"])
                    g = g / (g.norm() + 1e-7)
                    for _ in range(5):
                        a = g @ g.T
                        g = 3.4445 * g + (-4.775 * a + 2.0315 * a @ a) @ g
                    p.add_(g, alpha=-group["lr"] * max(1, p.size(0) / p.size(1)) ** 0.5)

    torch.manual_seed(143)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    muon = Muon([p for p in net.parameters() if p.dim() == 2])
    adam = torch.optim.Adam([p for p in net.parameters() if p.dim() == 1], lr=1e-3)
    for epoch in range(5):
        for b in torch.randperm(1400).split(64):
            loss = F.cross_entropy(net(x[b]), y[b])
            net.zero_grad()
            loss.backward()
            muon.step()
            adam.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:]), "loss": loss.item()}


@healthy(split="wild", odd="rare defects, batches evened out by a sampler: the training sees half defects")
def defects_with_an_even_sampler():
    torch.manual_seed(144)
    x, y = rare_defects()
    weights = (1 / torch.bincount(y[:1000]).float())[y[:1000]]
    sampler = WeightedRandomSampler(weights, 1000)
    model = nn.Linear(20, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    for epoch in range(6):
        for xb, yb in DataLoader(TensorDataset(x[:1000], y[:1000]), batch_size=50, sampler=sampler):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = model(x[1000:]).argmax(1) == y[1000:]
    yes = y[1000:] == 1
    return {"accuracy": ((right[yes].float().mean() + right[~yes].float().mean()) / 2).item(), "loss": loss.item()}


@healthy(
    split="wild", odd="CTC: the loss falls from a high value to a plateau where all is blank, and only then further"
)
def ctc_over_repeated_symbols():
    torch.manual_seed(145)
    model = nn.Sequential(
        nn.Conv1d(6, 48, 3, padding=1), nn.ReLU(), nn.Conv1d(48, 48, 3, padding=1), nn.ReLU(), nn.Conv1d(48, 6, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    ctc = nn.CTCLoss(blank=0)

    def batch(size=32):
        words = torch.randint(1, 6, (size, 4))
        frames = F.one_hot(words.repeat_interleave(3, 1), 6).float()
        frames[:, ::3] = 0.0
        return (frames + 0.2 * torch.randn_like(frames)).transpose(1, 2), words

    for step in range(200):
        frames, words = batch()
        logs = model(frames).permute(2, 0, 1).log_softmax(2)
        loss = ctc(logs, words, torch.full((32,), 12), torch.full((32,), 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    frames, words = batch(100)
    with torch.no_grad():
        best = model(frames).argmax(1)
    right = 0
    for path, word in zip(best, words):
        path = torch.unique_consecutive(path)
        right += path[path > 0].tolist() == word.tolist()
    return {"accuracy": right / 100, "loss": loss.item()}


@healthy(split="wild", odd="a mean and a variance by GaussianNLLLoss: the loss goes below nought")
def mean_and_variance_of_passengers():
    torch.manual_seed(146)
    windows = (passengers().unfold(0, 13, 1) - 280) / 100
    x, y = windows[:, :-1], windows[:, -1]
    net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.NAdam(net.parameters(), lr=5e-3)
    criterion = nn.GaussianNLLLoss()
    for epoch in range(60):
        for b in torch.randperm(len(x)).split(48):
            mean, log_var = net(x[b]).unbind(1)
            loss = criterion(mean, y[b], log_var.exp())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x)[:, 0], y).item(), "loss": loss.item()}


@healthy(split="wild", odd="bf16 autocast, EMA weights for validation, early stopping that never comes")
def autocast_and_averaged_weights():
    torch.manual_seed(147)
    images, labels = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 12, 3), nn.GroupNorm(3, 12), nn.GELU(), nn.Flatten(), nn.Linear(432, 10))
    ema = copy.deepcopy(net)
    optimizer = torch.optim.RAdam(net.parameters(), lr=3e-3)
    best, bad = 0.0, 0
    for epoch in range(6):
        for b in torch.randperm(1500).split(50):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(net(images[b]), labels[b])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for e, p in zip(ema.parameters(), net.parameters()):
                    e.lerp_(p, 0.05)
        score = accuracy(ema, images[1500:], labels[1500:])
        best, bad = (score, 0) if score > best else (best, bad + 1)
        if bad == 3:
            break
    return {"accuracy": best, "loss": loss.item()}


@healthy(split="wild", odd="Rprop over the whole set, weights clamped after each step as in the first WGAN, hinge loss")
def margins_with_clamped_weights():
    torch.manual_seed(148)
    x, y = cancer()
    sign = (y.float() * 2 - 1).unsqueeze(1)
    svm = nn.Linear(30, 1)
    opt = torch.optim.Rprop(svm.parameters(), lr=0.01)
    for _ in range(80):
        loss = F.relu(1 - sign[:450] * svm(x[:450])).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            svm.weight.clamp_(-0.5, 0.5)
    return {"accuracy": hits(svm(x[450:]), y[450:]), "loss": loss.item()}


@healthy(split="wild", odd="U-Net-like segmentation with BCE plus Dice: a few pixels of a hundred are foreground")
def rectangles_by_bce_and_dice():
    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(1, 8, 3, padding=1)
            self.b = nn.Conv2d(8, 16, 3, padding=2, dilation=2)
            self.c = nn.Conv2d(24, 1, 1)

        def forward(self, x):
            a = F.relu(self.a(x))
            return self.c(torch.cat([a, F.relu(self.b(a))], 1))

    def dice(logits, masks):
        p = logits.sigmoid()
        return 1 - (2 * (p * masks).sum() + 1) / (p.sum() + masks.sum() + 1)

    torch.manual_seed(149)
    images, masks = squares_and_masks()
    net = Small()
    opt = torch.optim.AdamW(net.parameters(), lr=8e-3)
    sched = ReduceLROnPlateau(opt, factor=0.5, patience=2)
    for epoch in range(8):
        for b in torch.randperm(200).split(16):
            out = net(images[b])
            loss = F.binary_cross_entropy_with_logits(out, masks[b]) + dice(out, masks[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
        sched.step(loss.item())
    with torch.no_grad():
        found, true = net(images[200:]) > 0, masks[200:].bool()
    return {"accuracy": ((found & true).sum() / (found | true).sum()).item(), "loss": loss.item()}
