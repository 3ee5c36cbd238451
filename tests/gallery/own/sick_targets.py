"""Outputs that do not fit their targets: one score for cross-entropy, shapes that broadcast."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import adding, cancer, diabetes, digit_images, moons, raw_diabetes, regression, waves
from ..score import hits
from ..table import sick


@sick("UT403", module=("2", ""), split="build", note="one score, float target of shape (N, 1)")
def cancer_one_score():
    torch.manual_seed(0)
    x, y = cancer()
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        loss = criterion(model(x), y.float().unsqueeze(1))
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), y)}


@sick("UT403", module=("fc", ""), split="judge", note="squeezed, so that the softmax runs over the batch")
def softmax_over_the_batch():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Linear(2, 32)
            self.fc = nn.Linear(32, 1)

        def forward(self, x):
            return self.fc(F.relu(self.hidden(x)))

    torch.manual_seed(1)
    x, y = moons(400)
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.001)
    for _ in range(150):
        i = torch.randperm(400)[:50]
        loss = F.cross_entropy(net(x[i]).squeeze(), y[i].float())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(net(x), y)}


@sick("UT403", module=("fc", ""), split="build", note="softmax of one score by hand, always 1")
def softmax_of_one_score():
    class CNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 8, 3, stride=2)
            self.fc = nn.Linear(72, 1)

        def forward(self, x):
            x = torch.relu(self.conv(x))
            return torch.softmax(self.fc(x.flatten(1)), dim=1)

    torch.manual_seed(2)
    x, y = digit_images()
    is_even = (y % 2 == 0).float()[:, None]
    net = CNN()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(5):
        for xb, yb in DataLoader(TensorDataset(x, is_even), batch_size=100, shuffle=True):
            opt.zero_grad()
            loss = F.binary_cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(net(x), is_even, 0.5)}


@sick("UT403", module=("out", ""), split="judge", note="an LSTM with one output")
def lstm_one_score():
    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(1, 16, batch_first=True)
            self.out = nn.Linear(16, 1)

        def forward(self, x):
            return self.out(self.lstm(x)[0][:, -1])

    torch.manual_seed(3)
    x, y = waves(256, 12)
    rising = (y > x[:, -1]).float()
    model = Detector()
    opt = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    for _ in range(120):
        loss = F.cross_entropy(model(x), rising)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), rising)}


@sick("UT403", module=("score", ""), split="build", note="log_softmax over one output, the rest by hand")
def one_logit_nll():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(30, 24), nn.Tanh())
            self.score = nn.Linear(24, 1)

        def forward(self, x):
            return F.log_softmax(self.score(self.body(x)), dim=-1)

    torch.manual_seed(4)
    x, y = cancer()
    net = Net()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = -(y[i].float()[:, None] * net(x[i])).mean()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(net(x), y)}


@sick("UT404", module=None, split="build")
def mse_broadcasts():
    torch.manual_seed(10)
    x, y = diabetes()
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "error": ((model(x).squeeze(1) - y) ** 2).mean().item()}


@sick("UT404", module=None, split="judge", note="L1, the target has the extra axis")
def l1_broadcasts():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(10, 20), nn.Linear(20, 1)

        def forward(self, x):
            return self.b(torch.tanh(self.a(x))).view(-1)

    torch.manual_seed(11)
    x, y = regression()
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for xb, yb in list(DataLoader(TensorDataset(x, y[:, None]), batch_size=50, shuffle=True)) * 20:
        loss = F.l1_loss(net(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "error": (net(x) - y).abs().mean().item()}


@sick("UT404", module=None, split="build", note="smooth L1 after an LSTM")
def smooth_l1_broadcasts():
    torch.manual_seed(12)
    x, y = adding(256, 4)
    lstm, fc = nn.LSTM(2, 16, batch_first=True), nn.Linear(16, 1)
    opt = torch.optim.Adam([*lstm.parameters(), *fc.parameters()], lr=0.01)
    for _ in range(250):
        i = torch.randint(256, (64,))
        out, (h, c) = lstm(x[i])
        loss = F.smooth_l1_loss(fc(h[-1]), y[i].squeeze(1))
        opt.zero_grad()
        loss.backward()
        opt.step()
    error = (fc(lstm(x)[1][0][-1]) - y).pow(2).mean()
    return {"loss": loss.item(), "error": error.item(), "variance": y.var().item()}


@sick("UT404", module=None, split="judge", note="written by hand")
def square_by_hand_broadcasts():
    torch.manual_seed(13)
    x, y = regression(300, 5)
    w = torch.randn(5, 1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    opt = torch.optim.SGD([w, b], lr=0.1)
    for _ in range(150):
        pred = x @ w + b
        loss = ((pred - y) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "error": ((pred.squeeze(1) - y) ** 2).mean().item()}


@sick("UT404", module=None, split="build", note="Q-values of shape (N, 1) against returns of shape (N,)")
def q_values_broadcast():
    torch.manual_seed(14)
    net = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 4))
    opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    for _ in range(200):
        state = torch.randn(64, 3)
        action = torch.randint(4, (64,))
        reward = state.sum(1) * (action - 1.5)
        q = net(state).gather(1, action[:, None])
        loss = F.huber_loss(q, reward)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "error": F.huber_loss(q.squeeze(1), reward).item()}


@sick("UT404", module=None, split="judge", note="mini-batches, raw targets")
def raw_targets_broadcast():
    torch.manual_seed(15)
    x, _ = diabetes()
    _, y = raw_diabetes()
    model = nn.Sequential(nn.Linear(10, 64), nn.GELU(), nn.Linear(64, 1))
    opt = torch.optim.AdamW(model.parameters(), lr=0.05)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(40):
            opt.zero_grad()
            loss = F.mse_loss(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "error": F.mse_loss(model(x).squeeze(1), y).item(), "variance": y.var().item()}
