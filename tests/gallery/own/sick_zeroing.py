"""Gradients that pile up because nothing sets them to zero."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, diabetes, digit_images, digits, moons, waves, wine
from ..score import accuracy
from ..table import sick


@sick("UT303", split="build")
def sgd_without_zero_grad():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for epoch in range(15):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT303", split="judge", note="the parentheses of zero_grad are missing")
def zero_grad_not_called():
    torch.manual_seed(1)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 32), nn.ReLU(),
        nn.Linear(32, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(100):
        i = torch.randint(len(x), (64,))
        optimizer.zero_grad  # noqa: B018
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT303", split="build", note="zeroed once, before the loop")
def zeroed_before_the_loop():
    class Regressor(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Linear(10, 20)
            self.out = nn.Linear(20, 1)

        def forward(self, x):
            return self.out(torch.tanh(self.hidden(x))).squeeze(1)

    torch.manual_seed(2)
    x, y = diabetes()
    net = Regressor()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    opt.zero_grad()
    for _ in range(150):
        loss = F.mse_loss(net(x), y)
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT303", split="judge", note="the gradients of another network are zeroed")
def wrong_network_zeroed():
    torch.manual_seed(3)
    x, y = wine()
    teacher = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    student = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.Adam(teacher.parameters(), lr=0.01)
    for _ in range(60):
        teacher.zero_grad()
        F.cross_entropy(teacher(x), y).backward()
        opt.step()
    opt = torch.optim.SGD(student.parameters(), lr=0.5)
    for _ in range(120):
        teacher.zero_grad()
        with torch.no_grad():
            soft = teacher(x).softmax(1)
        loss = F.kl_div(student(x).log_softmax(1), soft, reduction="batchmean")
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(student, x, y)}


@sick("UT303", split="build", note="an LSTM with momentum")
def lstm_piles_up():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(1, 16, batch_first=True)
            self.fc = nn.Linear(16, 1)

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.fc(out[:, -1])

    torch.manual_seed(4)
    x, y = waves(256, 15)
    model = Forecaster()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(150):
        i = torch.randint(256, (64,))
        loss = nn.MSELoss()(model(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT303", split="judge", note="Nesterov, two inputs")
def moons_pile_up():
    torch.manual_seed(5)
    x, y = moons(600, 0.15)
    y = y.float().view(-1, 1)
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    criterion = nn.BCELoss()
    for epoch in range(20):
        for i in torch.randperm(600).split(60):
            loss = criterion(model(x[i]), y[i])
            loss.backward()
            opt.step()
    correct = ((model(x) > 0.5) == (y > 0.5)).float().mean()
    return {"loss": loss.item(), "accuracy": correct.item()}


@sick("UT303", split="build", note="AdamW over a character model, with clipping")
def clipped_pile():
    torch.manual_seed(6)
    ids, vocab = characters()
    model = nn.Sequential(nn.Embedding(vocab, 16), nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, vocab))
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    windows = ids.unfold(0, 5, 1)
    for _ in range(200):
        w = windows[torch.randint(len(windows), (128,))]
        loss = F.cross_entropy(model(w[:, :4]), w[:, 4])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        opt.step()
    return {"loss": loss.item()}


@sick("UT303", split="judge", note="zeroed only every 50 steps, without meaning to accumulate")
def zeroed_once_an_epoch():
    torch.manual_seed(7)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.5)
    for epoch in range(4):
        opt.zero_grad()
        for i in torch.randperm(1600).split(32):
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}
