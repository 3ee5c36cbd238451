"""Sick runs of the gallery with the one line at fault repaired: losses."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import diabetes, digit_images, digits, first_symbol, moons, waves
from ..score import accuracy, hits
from ..table import healthy


@healthy(split="build", odd="raw scores for cross-entropy")
def scores_before_cross_entropy():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="an LSTM that gives raw scores")
def lstm_with_scores():
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(4, 24, batch_first=True)
            self.fc = nn.Linear(24, 4)

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.fc(out[:, -1, :])

    torch.manual_seed(5)
    x, y = first_symbol(1000, 5)
    model = Classifier()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(120):
        i = torch.randint(1000, (100,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="NLL on log-probabilities")
def cnn_nll_on_log_softmax():
    class CNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 12, 3)
            self.bn = nn.BatchNorm2d(12)
            self.fc = nn.Linear(12 * 9, 10)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.bn(self.conv(x))), 2)
            return F.log_softmax(self.fc(x.flatten(1)), dim=1)

    torch.manual_seed(0)
    x, y = digit_images()
    model = CNN()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(120):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.nll_loss(model(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="BCELoss fed by a sigmoid")
def bce_on_sigmoid_scores():
    torch.manual_seed(12)
    x, y = moons()
    net = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    criterion = nn.BCELoss()
    for _ in range(150):
        prob = net(x).squeeze(1).sigmoid()
        loss = criterion(prob, y.float())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(prob, y, 0.5)}


@healthy(split="judge", odd="one output, with the loss for one output")
def lstm_one_logit():
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
        loss = F.binary_cross_entropy_with_logits(model(x), rising)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), rising)}


@healthy(split="build", odd="the extra axis squeezed away")
def mse_squeezed():
    torch.manual_seed(10)
    x, y = diabetes()
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss = criterion(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "error": ((model(x).squeeze(1) - y) ** 2).mean().item()}


@healthy(split="build", odd="Q-values of shape (N,)")
def q_values_squeezed():
    torch.manual_seed(14)
    net = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 4))
    opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    for _ in range(200):
        state = torch.randn(64, 3)
        action = torch.randint(4, (64,))
        reward = state.sum(1) * (action - 1.5)
        q = net(state).gather(1, action[:, None]).squeeze(1)
        loss = F.huber_loss(q, reward)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "error": F.huber_loss(q, reward).item()}
