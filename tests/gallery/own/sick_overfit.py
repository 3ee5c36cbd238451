"""Trainings that look at data they do not train on, and learn the others by heart; and ones that do not."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, characters, diabetes, digits, moons
from ..score import accuracy
from ..table import healthy, sick


@torch.no_grad()
def loss_on(net, criterion, x, y):
    net.eval()
    total = sum(criterion(net(a), b).item() * len(a) for a, b in zip(x.split(64), y.split(64)))
    net.train()
    return total / len(x)


@sick(
    "UT705",
    split="build",
    note="60 patients, 11,000 weights and 60 epochs: the error on the others doubles",
    cured=(("range(60)", "range(4)"),),
)
def sixty_patients():
    torch.manual_seed(130)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    criterion = nn.MSELoss()
    for _ in range(60):
        for xb, yb in DataLoader(TensorDataset(x[:60], y[:60, None]), batch_size=10, shuffle=True):
            opt.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            opt.step()
        held_out = loss_on(net, criterion, x[60:], y[60:, None])
    return {"error": held_out, "loss": loss.item()}


@sick(
    "UT705",
    split="build",
    note="one page of text, read four hundred times, by a network that can keep all of it",
    cured=(("range(400)", "range(60)"),),
)
def one_page_by_heart():
    torch.manual_seed(131)
    text, letters = characters("zen")
    windows = text.unfold(0, 9, 1)
    seen, unseen = windows[:500], windows[520:]
    net = nn.Sequential(
        nn.Embedding(letters, 24), nn.Flatten(), nn.Linear(8 * 24, 128), nn.ReLU(), nn.Linear(128, letters)
    )
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(400):
        i = torch.randint(len(seen), (64,))
        loss = F.cross_entropy(net(seen[i, :-1]), seen[i, -1])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 20 == 19:
            with torch.inference_mode():
                held_out = F.cross_entropy(net(unseen[:, :-1]), unseen[:, -1])
    return {"error": held_out.item(), "loss": loss.item()}


@sick(
    "UT705",
    split="build",
    note="two of five labels are wrong, and the network learns these as well",
    cured=(("range(60)", "range(6)"),),
)
def wrong_labels_by_heart():
    torch.manual_seed(132)
    x, y = digits()
    told = torch.where(torch.rand(len(y)) < 0.4, torch.randint(10, y.shape), y)
    net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    for epoch in range(60):
        for xb, yb in DataLoader(TensorDataset(x[:400], told[:400]), batch_size=32, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
        held_out = loss_on(net, F.cross_entropy, x[400:], told[400:])
    return {"accuracy": accuracy(net, x[400:], y[400:]), "held out": held_out, "loss": loss.item()}


@healthy(split="build", odd="evaluated on few examples, batch by batch, so that the held-out loss is noisy")
def noisy_evaluation():
    torch.manual_seed(133)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(400):
        i = torch.randint(1200, (32,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 10 == 0:
            j = 1200 + torch.randint(597, (8,))
            loss_on(net, F.cross_entropy, x[j], y[j])
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="the held-out loss comes to a stand while the training loss falls on")
def held_out_stands():
    torch.manual_seed(134)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 2))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.1)
    for epoch in range(25):
        for xb, yb in DataLoader(TensorDataset(x[:400], y[:400]), batch_size=32, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
        loss_on(net, F.cross_entropy, x[400:], y[400:])
    return {"accuracy": accuracy(net, x[400:], y[400:])}


@healthy(split="build", odd="a classifier grows too sure: its held-out loss rises a little, its accuracy does not fall")
def held_out_a_little_too_sure():
    torch.manual_seed(135)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(60):
        for xb, yb in DataLoader(TensorDataset(x[:500], y[:500]), batch_size=50, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
        loss_on(net, F.cross_entropy, x[500:], y[500:])
    return {"accuracy": accuracy(net, x[500:], y[500:])}


@healthy(split="build", odd="trained until the held-out loss has not improved for six epochs, and then ended")
def ended_by_patience():
    torch.manual_seed(136)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-4)
    best, waited = float("inf"), 0
    for _ in range(60):
        for xb, yb in DataLoader(TensorDataset(x[:200], y[:200, None]), batch_size=10, shuffle=True):
            opt.zero_grad()
            loss = F.mse_loss(net(xb), yb)
            loss.backward()
            opt.step()
        held_out = loss_on(net, F.mse_loss, x[200:], y[200:, None])
        best, waited = min(best, held_out), 0 if held_out < best else waited + 1
        if waited == 6:
            break
    return {"error": best}


@healthy(split="build", odd="looks at the training data as well after each epoch, by the same function")
def looks_at_both():
    torch.manual_seed(137)
    x, y = moons(noise=0.2)
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    criterion = nn.BCEWithLogitsLoss()
    y = y.float().unsqueeze(1)
    for epoch in range(40):
        for xb, yb in DataLoader(TensorDataset(x[:300], y[:300]), batch_size=30, shuffle=True):
            opt.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            opt.step()
        loss_on(net, criterion, x[:300], y[:300])
        loss_on(net, criterion, x[300:], y[300:])
    return {"accuracy": ((net(x[300:]) > 0) == (y[300:] > 0.5)).float().mean().item()}
