"""Inputs and targets that were never scaled, never change, come in order, or are not what they should be."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ..data import digit_images, digits, digits_255, raw_diabetes, raw_wine, standardized
from ..score import accuracy, hits
from ..table import sick
from .data_a import emblems, fabrics, houses, loans, plant


@sick(
    "UT501",
    split="blind",
    note="the columns of the wine data as measured, proline up to 1680",
    cured=(("x, y = raw_wine()", "x, y = raw_wine()\n    x = standardized(x)"),),
)
def wine_as_it_was_measured():
    torch.manual_seed(1)
    x, y = raw_wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(30):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT501",
    split="blind",
    note="incomes in dollars beside numbers of rooms; only the prices were standardized",
    cured=(("x, y = x, standardized(y)", "x, y = standardized(x), standardized(y)"),),
)
def registry_of_houses_as_it_is():
    torch.manual_seed(2)
    x, y = houses()
    x, y = x, standardized(y)
    net = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(30):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@sick(
    "UT501",
    split="blind",
    note="pixels of 0 to 255 into a convolution under SGD",
    cured=(("x.view(-1, 1, 8, 8)", "x.view(-1, 1, 8, 8) / 255"),),
)
def bytes_of_an_image_file():
    torch.manual_seed(3)
    x, y = digits_255()
    x = x.view(-1, 1, 8, 8)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.8)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT501",
    split="blind",
    note="readings of a ten-thousandth, in other units than the net was tried with",
    cured=(("x = x * 1e-4", "x = x * 1.0"),),
)
def readings_in_other_units():
    torch.manual_seed(4)
    x, made, _ = plant()
    x = x * 1e-4
    net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(30):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]), made[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), made).item()}


@sick(
    "UT502",
    split="blind",
    note="the data set returns its first picture whatever the index, with the labels of all",
    cured=(("self.x[0], self.y[k]", "self.x[k], self.y[k]"),),
)
def data_set_of_a_beginner():
    class Emblems(Dataset):
        def __init__(self):
            self.x, self.y = emblems()

        def __len__(self):
            return len(self.x)

        def __getitem__(self, k):
            return self.x[0], self.y[k]

    torch.manual_seed(5)
    x, y = emblems()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(200, 4))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for xb, yb in DataLoader(Emblems(), batch_size=32, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT502",
    split="blind",
    note="colours of 0 to 1 are cut to whole numbers, which are all 0",
    cured=(("(x * 0.99).long().float()", "(x * 0.99).float()"),),
)
def colours_in_whole_numbers():
    torch.manual_seed(6)
    x, y = fabrics()
    x = (x * 0.99).long().float()
    net = nn.Sequential(
        nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 6)
    )
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(12):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT503",
    split="blind",
    note="classes 1 and 2, as the file has them, for binary cross-entropy",
    cured=(("y + 1.0", "y + 0.0"),),
)
def classes_as_the_file_has_them():
    torch.manual_seed(7)
    x, y = loans(share=0.3)
    label = y + 1.0
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(40):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i])[:, 0], label[i]).backward()
            opt.step()
    return {"accuracy": hits(net(x), y)}


@sick(
    "UT503",
    split="blind",
    note="an autoencoder's pixels of 0 to 16 under binary cross-entropy",
    cured=(("pixels = x * 16", "pixels = x"), ("net(x * 16)", "net(x)")),
)
def likelihood_of_ink():
    torch.manual_seed(8)
    x, _ = digits()
    pixels = x * 16
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8), nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(pixels[i]), pixels[i]).backward()
            opt.step()
    return {"error": F.mse_loss(torch.sigmoid(net(x * 16)), x).item()}


@sick(
    "UT504",
    split="blind",
    note="a threshold for standardized values is put to progressions of 25 to 346: all are above it",
    cured=(("threshold = 0.5", "threshold = y.median()"),),
)
def high_or_low_progression():
    torch.manual_seed(9)
    x, y = raw_diabetes()
    x, high = standardized(x), (y > y.median()).float()
    threshold = 0.5
    label = (y > threshold).float()
    net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i]), label[i]).backward()
            opt.step()
    return {"accuracy": hits(net(x), high)}


@sick(
    "UT505",
    split="blind",
    note="three in a hundred do not pay, and the loss counts each borrower alike",
    cured=(("weight=None", "weight=torch.tensor([0.03, 0.97])"),),
)
def borrowers_one_like_another():
    torch.manual_seed(10)
    x, y = loans(1200, 0.03)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    criterion = nn.CrossEntropyLoss(weight=None)
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(6):
        for i in torch.randperm(len(x)).split(60):
            opt.zero_grad()
            criterion(net(x[i]), y[i]).backward()
            opt.step()
    guess = net(x).argmax(1)
    return {"accuracy": sum((guess[y == k] == k).float().mean().item() for k in (0, 1)) / 2}


@sick(
    "UT506",
    split="blind",
    note="next(iter(loader)) of a loader that does not shuffle: the first 32 digits, always",
    cured=(("shuffle=False", "shuffle=True"),),
)
def first_page_of_the_loader():
    torch.manual_seed(11)
    x, y = digit_images()
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=False)
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(500):
        xb, yb = next(iter(loader))
        opt.zero_grad()
        F.cross_entropy(net(xb), yb).backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT507",
    split="blind",
    note="pictures sorted by class, as their folders are, without shuffling",
    cured=(("DataLoader(data, 30)", "DataLoader(data, 30, shuffle=True)"),),
)
def one_folder_after_another():
    torch.manual_seed(12)
    x, y = emblems()
    order = y.argsort(stable=True)
    data = TensorDataset(x[order], y[order])
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4)
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
    for epoch in range(10):
        for xb, yb in DataLoader(data, 30):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT507",
    split="blind",
    note="indices are sorted by label inside a function that makes batches",
    cured=(("y.argsort()", "torch.randperm(len(y))"),),
)
def batches_from_a_helper():
    def batches(x, y, size):
        for i in y.argsort().split(size):
            yield x[i], y[i]

    torch.manual_seed(13)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for xb, yb in batches(x, y, 64):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
