"""What batches hold: the same examples, one class at a time, constant inputs, odd targets."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digit_images, digits, first_symbol, moons, raw_diabetes, wine
from ..score import accuracy
from ..table import healthy, sick


def small(features, classes, width=32):
    return nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, classes))


@sick("UT506", split="build", note="next(iter(loader)) starts the loader anew at each step")
def first_batch_for_ever():
    torch.manual_seed(61)
    x, y = digits()
    loader = DataLoader(TensorDataset(x, y), batch_size=32)
    net = small(64, 10)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(150):
        inputs, labels = next(iter(loader))
        loss = F.cross_entropy(net(inputs), labels)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT506", split="judge", note="the batch is drawn once, before the loop")
def drawn_before_the_loop():
    class Trainer:
        def __init__(self):
            self.x, self.y = digit_images()
            self.net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
            self.loader = DataLoader(TensorDataset(self.x, self.y), batch_size=64, shuffle=True)

        def fit(self):
            loader = self.loader
            opt = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)
            batch = next(iter(loader))
            for _ in range(100):
                loss = F.cross_entropy(self.net(batch[0]), batch[1])
                opt.zero_grad()
                loss.backward()
                opt.step()
            return {"loss": loss.item(), "accuracy": accuracy(self.net, self.x, self.y)}

    torch.manual_seed(62)
    return Trainer().fit()


@healthy(split="build", odd="all examples in one batch, cut from a table that holds a test set as well")
def full_batch_of_a_split():
    torch.manual_seed(63)
    x, y = wine()
    train_x, train_y = x[::2], y[::2]
    loader = DataLoader(TensorDataset(train_x, train_y), batch_size=len(train_x))
    net = small(13, 3)
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(100):
        for inputs, labels in loader:
            loss = F.cross_entropy(net(inputs), labels)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


def in_order(shuffle, features=64, classes=10, epochs=3):
    torch.manual_seed(64)
    x, y = digits()
    order = y.argsort()
    loader = DataLoader(TensorDataset(x[order], y[order]), batch_size=32, shuffle=shuffle)
    net = small(features, classes, 64)
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(epochs):
        for inputs, labels in loader:
            opt.zero_grad()
            loss = F.cross_entropy(net(inputs), labels)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT507", split="build", note="the folder's order, all zeros first")
def one_digit_after_the_other():
    return in_order(shuffle=False)


@healthy(split="build", odd="sorted on disk, shuffled by the loader")
def sorted_but_shuffled():
    return in_order(shuffle=True, epochs=6)


@sick("UT507", split="judge", note="sequences stand by their class, and are cut into batches by hand")
def sequences_by_class():
    torch.manual_seed(65)
    x, y = first_symbol(length=12)
    order = y.argsort(stable=True)
    x, y = x[order], y[order]
    rnn, out = nn.LSTM(4, 24, batch_first=True), nn.Linear(24, 4)
    opt = torch.optim.Adam([*rnn.parameters(), *out.parameters()], lr=0.03)
    for epoch in range(8):
        for start in range(0, len(x), 16):
            loss = F.cross_entropy(out(rnn(x[start : start + 16])[0][:, -1]), y[start : start + 16])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item()}


@sick("UT502", split="build", note="each row is divided by itself")
def rows_over_themselves():
    torch.manual_seed(66)
    x, y = cancer()
    x = torch.where(x == x, torch.ones_like(x), x)
    net = small(30, 2)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(150):
        pick = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[pick]), y[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT503", split="build", note="labels of 1 and 2 for BCEWithLogitsLoss")
def labels_of_one_and_two():
    torch.manual_seed(67)
    x, y = cancer()
    net = small(30, 1)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(150):
        pick = torch.randint(len(x), (64,))
        loss = F.binary_cross_entropy_with_logits(net(x[pick]).squeeze(1), y[pick].float() + 1)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT503", split="judge", note="labels of -1 and 1, as a support vector machine wants them")
def labels_of_both_signs():
    torch.manual_seed(68)
    x, y = moons()
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(150):
        loss = F.binary_cross_entropy_with_logits(net(x).squeeze(1), 2.0 * y - 1)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="labels smoothed to 0.1 and 0.9")
def smoothed_binary_labels():
    torch.manual_seed(69)
    x, y = moons()
    net = small(2, 1)
    opt = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(200):
        loss = F.binary_cross_entropy_with_logits(net(x).squeeze(1), 0.1 + 0.8 * y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT504", split="build", note="the comparison that makes the labels is never true")
def label_always_false():
    torch.manual_seed(70)
    x, y = digits()
    odd = (y / 2 == y + 1).long()
    net = small(64, 2)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for inputs, labels in DataLoader(TensorDataset(x, odd), batch_size=16, shuffle=True):
        loss = F.cross_entropy(net(inputs), labels)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


def one_in_twenty_five(weights=None):
    torch.manual_seed(71)
    x = torch.randn(4000, 12)
    score = torch.sin(2 * x[:, 0]) * torch.sin(2 * x[:, 1])
    y = (score > score.quantile(0.96)).long()
    net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(150):
        loss = F.cross_entropy(net(x), y, weight=weights)
        opt.zero_grad()
        loss.backward()
        opt.step()
    found = net(x).argmax(1)
    return {"loss": loss.item(), "found": (found[y == 1] == 1).float().mean().item()}


@sick("UT505", split="build", note="one in twenty-five is positive, and none of them is found")
def none_of_the_rare_is_found():
    return one_in_twenty_five()


@healthy(split="build", odd="one in twenty-five is positive, and weighs as much as the others together")
def the_rare_weigh_more():
    return one_in_twenty_five(torch.tensor([0.52, 12.5]))


@sick("UT508", split="build", note="disease progression from 25 to 346, as it stands in the table")
def progression_as_measured():
    torch.manual_seed(72)
    x, _ = diabetes()
    _, y = raw_diabetes()
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(200):
        pick = torch.randint(len(x), (64,))
        loss = F.mse_loss(net(x[pick]).squeeze(1), y[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT508", split="judge", note="prices in euros break plain gradient descent at a usual rate")
def prices_in_euros():
    torch.manual_seed(73)
    x = torch.randn(512, 6)
    price = 240_000 + 60_000 * (x @ torch.randn(6)).tanh()
    net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(100):
        pick = torch.randint(len(x), (32,))
        loss = F.mse_loss(net(x[pick]).squeeze(1), price[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}
