"""Data that cannot be learned from as they come, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ..data import cancer, digit_images, digits_255, raw_wine
from ..score import accuracy, hits, matches
from ..table import sick
from .data import communities, houses


@sick(
    "UT501",
    split="held",
    note="a census table as it comes (people in thousands, longitudes around -119), standardised prices",
    cured=(("x, y = houses()", "x, y = houses(); x = (x - x.mean(0)) / x.std(0)"),),
)
def census_as_it_comes():
    torch.manual_seed(0)
    x, y = houses()
    y = (y - y.mean()) / y.std()
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(50):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.mse_loss(net(xb).squeeze(1), yb)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT501",
    split="held",
    note="wine with proline in the hundreds, tanh units, gradient descent",
    cured=(("x, y = raw_wine()", "x, y = raw_wine(); x = (x - x.mean(0)) / x.std(0)"),),
)
def wine_with_proline_in_hundreds():
    torch.manual_seed(1)
    x, y = raw_wine()
    net = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(200):
        for i in torch.randperm(178).split(16):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT501",
    split="held",
    note="a time stamp in seconds since 1970 among the features of a graph's nodes",
    cured=(("1.6e9 + 86400 * torch.randn(240, 1)", "torch.randn(240, 1)"),),
)
def time_stamp_among_the_features():
    class GCN(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(13, 24), nn.Linear(24, 3)

        def forward(self, x, adj):
            return adj @ self.two(F.elu(adj @ self.one(x)))

    torch.manual_seed(2)
    x, adj, group = communities()
    x = torch.cat([x, 1.6e9 + 86400 * torch.randn(240, 1)], 1)
    net = GCN()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(1000):
        opt.zero_grad()
        loss = F.cross_entropy(net(x, adj)[:160], group[:160])
        loss.backward()
        opt.step()
    return {"accuracy": matches(net(x, adj), group)}


@sick(
    "UT502",
    split="held",
    note="the dataset's __getitem__ returns image 0 whatever it is asked",
    cured=(("self.images[0]", "self.images[index]"),),
)
def image_zero_for_every_index():
    class Digits(Dataset):
        def __init__(self):
            self.images, self.labels = digit_images()

        def __len__(self):
            return len(self.labels)

        def __getitem__(self, index):
            return self.images[0], self.labels[index]

    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Flatten(), nn.Linear(432, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(15):
        for xb, yb in DataLoader(Digits(), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, *digit_images())}


@sick(
    "UT502",
    split="held",
    note="images divided by 255 twice and turned into bytes in between: all of them are 0",
    cured=(("(x / 255).to(torch.uint8)", "x"),),
)
def bytes_between_two_divisions():
    torch.manual_seed(4)
    x, y = digits_255()
    x = (x / 255).to(torch.uint8).float() / 255 * (x < 255)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(50):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT503",
    split="held",
    note="labels of -1 and 1, made for a hinge, with BCEWithLogitsLoss",
    cured=(("2 * y - 1", "y"),),
)
def labels_made_for_a_hinge():
    torch.manual_seed(5)
    x, y = cancer()
    sign = (2 * y - 1).float()
    net = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1), nn.Flatten(0))
    criterion = nn.BCEWithLogitsLoss()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(80):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = criterion(net(x[i]), sign[i])
            loss.backward()
            opt.step()
    return {"error": F.binary_cross_entropy_with_logits(net(x), y.float()).item()}


@sick(
    "UT504",
    split="held",
    note="labels compared with strings after they had become numbers: all of them are 0",
    cured=(('[float(label == "1") for label in y.tolist()]', "y.float().tolist()"),),
)
def numbers_compared_with_strings():
    torch.manual_seed(6)
    x, y = cancer()
    labels = torch.tensor([float(label == "1") for label in y.tolist()])
    net = nn.Sequential(nn.Linear(30, 16), nn.GELU(), nn.Linear(16, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(80):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x[i]), labels[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), y)}


@sick(
    "UT508",
    split="held",
    note="prices in dollars, mean squared error, Adam",
    cured=(("x, y = houses()", "x, y = houses(); y = (y - y.mean()) / y.std()"),),
)
def prices_in_dollars():
    torch.manual_seed(10)
    x, y = houses()
    x = (x - x.mean(0)) / x.std(0)
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(60):
        for i in torch.randperm(2000).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item() / y.var().item()}
