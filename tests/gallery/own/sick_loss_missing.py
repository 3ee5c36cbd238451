"""More losses whose activation is missing."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import characters, digit_images, digits, first_symbol, wine
from ..score import accuracy, matches
from ..table import sick


@sick("UT402", module=None, split="build", note="NLLLoss on the raw scores of a CNN, Adam")
def cnn_nll_on_scores():
    class CNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 12, 3)
            self.bn = nn.BatchNorm2d(12)
            self.fc = nn.Linear(12 * 9, 10)

        def forward(self, x):
            return self.fc(F.max_pool2d(F.relu(self.bn(self.conv(x))), 2).flatten(1))

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


@sick("UT402", module=("softmax", ""), split="judge", note="NLLLoss on the softmax of a GRU")
def gru_nll_on_probabilities():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(4, 20, batch_first=True)
            self.fc = nn.Linear(20, 4)
            self.softmax = nn.Softmax(dim=-1)

        def forward(self, x):
            return self.softmax(self.fc(self.gru(x)[0][:, -1]))

    torch.manual_seed(1)
    x, y = first_symbol(1000, 4)
    model = Model()
    opt = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    criterion = nn.NLLLoss()
    for _ in range(150):
        i = torch.randint(1000, (64,))
        loss = criterion(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT402", module=None, split="build", note="KL divergence from raw scores, not log-probabilities")
def divergence_of_raw_scores():
    torch.manual_seed(2)
    x, y = digits()
    target = 0.9 * F.one_hot(y, 10).float() + 0.01
    net = nn.Sequential(nn.Linear(64, 40), nn.Tanh(), nn.Linear(40, 10))
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(150):
        i = torch.randint(len(x), (200,))
        loss = F.kl_div(net(x[i]), target[i], reduction="batchmean")
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "probability": net(x).softmax(1).gather(1, y[:, None]).mean().item()}


@sick("UT402", module=None, split="judge", note="NLLLoss on tanh outputs")
def nll_on_tanh():
    torch.manual_seed(3)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3), nn.Tanh())
    opt = torch.optim.RMSprop(model.parameters(), lr=0.01)
    for _ in range(100):
        scores = model(x)
        loss = F.nll_loss(scores, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, y)}


@sick("UT402", module=None, split="judge", note="NLLLoss on the scores of a character model")
def characters_nll_on_scores():
    torch.manual_seed(4)
    ids, vocab = characters()
    model = nn.Sequential(nn.Embedding(vocab, 16), nn.Flatten(), nn.Linear(48, vocab))
    windows = ids.unfold(0, 4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(150):
        w = windows[torch.randint(len(windows), (128,))]
        loss = F.nll_loss(model(w[:, :3]), w[:, 3])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(model(w[:, :3]), w[:, 3])}
