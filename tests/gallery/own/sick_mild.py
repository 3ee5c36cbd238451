"""Milder forms of several faults: the run learns something, and less than it should."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, characters, diabetes, digit_images, digits, moons, raw_iris, regression, waves
from ..score import accuracy, hits
from ..table import sick


@sick("UT101", module=("1", "3", "5", "7"), split="build", note="four sigmoids, learns very slowly")
def four_sigmoids():
    torch.manual_seed(0)
    x, y = cancer()
    layers, width = [], 30
    for _ in range(4):
        layers += [nn.Linear(width, 24), nn.Sigmoid()]
        width = 24
    model = nn.Sequential(*layers, nn.Linear(24, 2))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT201", module=("0", "1"), split="judge", note="a bias of -1.5 leaves few units alive")
def most_units_silent():
    torch.manual_seed(1)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    nn.init.constant_(model[0].bias, -1.5)
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT301", split="judge", note="Adam at 0.3 where 0.003 learns; bounces")
def adam_at_three_tenths():
    torch.manual_seed(2)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adam(model.parameters(), lr=0.3)
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT301", split="build", note="a recurrent net under SGD at 3, which clipping keeps finite")
def gru_at_three():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(1, 16, batch_first=True)
            self.fc = nn.Linear(16, 1)

        def forward(self, x):
            return self.fc(self.gru(x)[0][:, -1])

    torch.manual_seed(3)
    x, y = waves(256, 15)
    model = Model()
    opt = torch.optim.SGD(model.parameters(), lr=3.0)
    for _ in range(120):
        i = torch.randint(256, (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@sick("UT302", split="judge", note="SGD at 0.001 without momentum, where 0.1 is right")
def sgd_at_a_thousandth():
    torch.manual_seed(4)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(model.parameters(), lr=1e-3)
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT302", split="build", note="Adam at 1e-5 over a GRU")
def gru_at_a_hundred_thousandth():
    torch.manual_seed(5)
    ids, vocab = characters()
    embed, gru, out = nn.Embedding(vocab, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, vocab)
    opt = torch.optim.Adam([*embed.parameters(), *gru.parameters(), *out.parameters()], lr=1e-5)
    pieces = ids.unfold(0, 13, 1)
    for _ in range(120):
        piece = pieces[torch.randint(len(pieces), (32,))]
        loss = F.cross_entropy(out(gru(embed(piece[:, :-1]))[0]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT304", module=("", "2"), split="judge", note="a slice of the parameters: the last layers are left out")
def slice_of_parameters():
    torch.manual_seed(6)
    x, y = regression()
    model = nn.Sequential(nn.Linear(10, 2), nn.Tanh(), nn.Linear(2, 1))
    opt = torch.optim.SGD(list(model.parameters())[:2], lr=0.1, momentum=0.9)
    for _ in range(150):
        loss = F.mse_loss(model(x).squeeze(1), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT403", module=("2", ""), split="judge", note="two classes, one score, mini-batches of digits")
def odd_or_even_one_score():
    torch.manual_seed(7)
    x, y = digits()
    odd = (y % 2).float().view(-1, 1)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(128):
            loss = criterion(model(x[i]), odd[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), odd)}


@sick("UT404", module=None, split="judge", note="a GRU of (N, 1) against (N,), L1 in small batches")
def small_batches_broadcast():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(1, 16, batch_first=True)
            self.fc = nn.Linear(16, 1)

        def forward(self, x):
            return self.fc(self.gru(x)[1][0])

    torch.manual_seed(8)
    x, y = waves(256, 15)
    y = y.squeeze(1)
    model = Model()
    opt = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(150):
        i = torch.randint(256, (8,))
        loss = F.l1_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "error": (model(x).squeeze(1) - y).abs().mean().item()}


@sick("UT501", module=("0", ""), split="build", note="an offset of 100 on every feature")
def offset_of_a_hundred():
    torch.manual_seed(9)
    x, y = raw_iris()
    x = x + 100
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(200):
        i = torch.randint(150, (32,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT701", split="judge", note="targets are noise, a convolutional regressor")
def regression_on_noise():
    torch.manual_seed(10)
    x, _ = digit_images()
    y = torch.randn(len(x), 1)
    net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        loss = F.mse_loss(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@sick("UT202", module=("1", "0"), split="judge", note="weights of std 12 under tanh, two inputs")
def tanh_of_std_twelve():
    torch.manual_seed(11)
    x, y = moons(600, 0.1)
    model = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 2))
    nn.init.normal_(model[0].weight, std=12.0)
    nn.init.normal_(model[2].weight, std=12.0)
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for _ in range(200):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick(
    "UT102", module=tuple(str(i) for i in range(0, 20, 2)), split="judge", note="Kaiming times 2.5 in ten layers, Adam"
)
def kaiming_times_two_and_a_half():
    torch.manual_seed(12)
    x, y = diabetes()
    layers, width = [], 10
    for _ in range(10):
        layers += [nn.Linear(width, 40), nn.LeakyReLU()]
        nn.init.kaiming_normal_(layers[-2].weight)
        layers[-2].weight.data *= 2.5
        width = 40
    model = nn.Sequential(*layers, nn.Linear(40, 1))
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(150):
        i = torch.randint(len(x), (100,))
        loss = F.mse_loss(model(x[i]).squeeze(1), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}
