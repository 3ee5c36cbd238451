"""Targets out of reach, out of range or all alike, and sums where a mean is meant."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import wine
from ..score import accuracy, hits
from ..table import sick
from .data import bars, bikes, films, program, scenes, sensors


@sick(
    "UT404",
    split="fresh",
    note="log-probabilities in a column times advantages in a row",
    cured=(("log_prob = -((action - mean) ** 2)", "log_prob = -((action - mean) ** 2).squeeze(1)"),),
)
def column_of_log_probabilities_times_row_of_advantages():
    torch.manual_seed(0)
    policy = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam(policy.parameters(), lr=5e-3)
    for step in range(500):
        state = torch.rand(64, 2) * 2 - 1
        mean = policy(state)
        action = (mean + 0.3 * torch.randn(64, 1)).detach()
        reward = -((action.squeeze(1) - state[:, 0] * state[:, 1] * 2) ** 2)
        advantage = (reward - reward.mean()) / (reward.std() + 1e-6)
        log_prob = -((action - mean) ** 2) / (2 * 0.3**2)
        loss = -(log_prob * advantage).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    state = torch.rand(500, 2) * 2 - 1
    return {"error": F.mse_loss(policy(state).squeeze(1), state[:, 0] * state[:, 1] * 2).item()}


@sick(
    "UT405",
    split="fresh",
    note="ReLU behind the last layer of a network for temperatures that are often below zero",
    cured=(("F.relu(self.head(h.mean(1)))", "self.head(h.mean(1))"),),
)
def thermometer_with_rectified_head():
    class Thermometer(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv1d(1, 16, 5, padding=2), nn.Linear(16, 1)

        def forward(self, x):
            h = torch.tanh(self.conv(x.transpose(1, 2))).transpose(1, 2)
            return F.relu(self.head(h.mean(1)))

    torch.manual_seed(1)
    mean = 4 * torch.randn(500, 1)
    x = (mean[:, None] + torch.randn(500, 20, 1)) / 4
    net = Thermometer()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(20):
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]), mean[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x), mean).item()}


@sick(
    "UT405",
    split="fresh",
    note="sigmoid on the output of an autoencoder whose inputs were standardized to mean 0 and deviation 1",
    cured=(("nn.Linear(32, 13), nn.Sigmoid())", "nn.Linear(32, 13))"),),
)
def sigmoid_decoder_for_standardized_wine():
    torch.manual_seed(2)
    x, _ = wine()
    encoder = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 5))
    decoder = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 13), nn.Sigmoid())
    opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    for epoch in range(80):
        for i in torch.randperm(len(x)).split(16):
            loss = F.mse_loss(decoder(encoder(x[i])), x[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(decoder(encoder(x)), x).item()}


@sick(
    "UT405",
    split="fresh",
    note="stars from 1 to 5 predicted by a sigmoid that nobody stretched",
    cured=(("return torch.sigmoid(score)", "return 1 + 4 * torch.sigmoid(score)"),),
)
def stars_by_a_bare_sigmoid():
    class Factors(nn.Module):
        def __init__(self):
            super().__init__()
            self.who, self.what = nn.Embedding(60, 6), nn.Embedding(80, 6)

        def forward(self, who, what):
            score = (self.who(who) * self.what(what)).sum(1)
            return torch.sigmoid(score)

    torch.manual_seed(3)
    who, what, stars = films()
    net = Factors()
    opt = torch.optim.Adagrad(net.parameters(), lr=0.1)
    for epoch in range(20):
        for i in torch.randperm(4000).split(100):
            opt.zero_grad()
            loss = F.mse_loss(net(who[i], what[i]), stars[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(who, what), stars).item()}


@sick(
    "UT407",
    split="fresh",
    note="reduction='sum' over batches of 128 with the rate of a mean, Nesterov momentum",
    cured=(('reduction="sum"', 'reduction="mean"'),),
)
def summed_bars():
    torch.manual_seed(4)
    x, y = bars()
    conv = [nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 12, 3), nn.ReLU()]
    net = nn.Sequential(*conv, nn.Flatten(), nn.Linear(108, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    criterion = nn.CrossEntropyLoss(reduction="sum")
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
            opt.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT407",
    split="fresh",
    note="the loss of a sequence added up over its 24 steps and the 16 rows",
    cured=(("loss.backward()", "(loss / (24 * 16)).backward()"),),
)
def letters_added_up():
    torch.manual_seed(5)
    text, n = program()
    embed, cell, out = nn.Embedding(n, 24), nn.RNNCell(24, 48), nn.Linear(48, n)
    opt = torch.optim.SGD([*embed.parameters(), *cell.parameters(), *out.parameters()], lr=0.5)
    for step in range(200):
        at = torch.randint(len(text) - 25, (16,))
        h, loss = torch.zeros(16, 48), 0
        for t in range(24):
            h = cell(embed(text[at + t]), h)
            loss = loss + F.cross_entropy(out(h), text[at + t + 1], reduction="sum")
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item() / (24 * 16)}


@sick(
    "UT503",
    split="fresh",
    note="masks read from image files, 0 and 255, against logits",
    cured=(("255.0 * (label > 0)", "1.0 * (label > 0)"),),
)
def masks_of_255():
    torch.manual_seed(6)
    image, label = scenes()
    mask = 255.0 * (label > 0)[:, None]
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(10):
        for i in torch.randperm(300).split(20):
            opt.zero_grad()
            loss = criterion(net(image[i]), mask[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(image), label > 0)}


@sick(
    "UT503",
    split="fresh",
    note="stars from 1 to 5 against BCEWithLogits",
    cured=(("stars[i])", "(stars[i] >= 4).float())"),),
)
def stars_as_probabilities():
    class Factors(nn.Module):
        def __init__(self):
            super().__init__()
            self.who, self.what, self.bias = nn.Embedding(60, 8), nn.Embedding(80, 8), nn.Embedding(80, 1)

        def forward(self, who, what):
            return (self.who(who) * self.what(what)).sum(1) + self.bias(what).squeeze(1)

    torch.manual_seed(7)
    who, what, stars = films()
    net = Factors()
    opt = torch.optim.AdamW(net.parameters(), lr=0.02)
    for epoch in range(15):
        for i in torch.randperm(4000).split(64):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(who[i], what[i]), stars[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(who, what), stars >= 4)}


@sick(
    "UT504",
    split="fresh",
    note="labels written through two indices in a row, which writes into a copy",
    cured=(("labels[rest][kind[rest] == 2] = 1", "labels[kind == 2] = 1"),),
)
def labels_written_into_a_copy():
    torch.manual_seed(8)
    x, kind = sensors()
    labels = torch.zeros(600)
    rest = torch.arange(600)
    labels[rest][kind[rest] == 2] = 1
    net = nn.Sequential(nn.Conv1d(3, 8, 7, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 21, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x[i].transpose(1, 2)).squeeze(1), labels[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x.transpose(1, 2)), kind == 2)}


@sick(
    "UT504",
    split="fresh",
    note="targets between 0 and 1 cast to integers on their way through a dataset",
    cured=(("share.long().float()", "share"),),
)
def shares_cast_to_integers():
    torch.manual_seed(9)
    x, hired = bikes()
    x, share = (x - x.mean(0)) / x.std(0), hired / 901
    data = TensorDataset(x, share.long().float())
    net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(15):
        for xb, yb in DataLoader(data, batch_size=50, shuffle=True):
            opt.zero_grad()
            loss = F.mse_loss(net(xb).squeeze(1), yb)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), share).item()}
