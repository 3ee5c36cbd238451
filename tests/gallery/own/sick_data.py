"""Inputs that are not scaled, and data that say nothing about their labels."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import diabetes, digits, digits_255, iris, moons, raw_cancer, raw_diabetes, raw_wine, regression, waves
from ..score import accuracy, hits
from ..table import sick


@sick("UT501", module=("0", ""), split="build", note="pixels of 0..255 into tanh units")
def raw_pixels_mlp():
    torch.manual_seed(0)
    x, y = digits_255()
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT501", module=("conv", ""), split="judge", note="pixels of 0..255 into a CNN")
def raw_pixels_cnn():
    class CNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 8, 3)
            self.conv2 = nn.Conv2d(8, 8, 3)
            self.fc = nn.Linear(8 * 16, 10)

        def forward(self, x):
            x = F.relu(self.conv2(F.relu(self.conv(x))))
            return self.fc(x.flatten(1))

    torch.manual_seed(1)
    x, y = digits_255()
    loader = DataLoader(TensorDataset(x.view(-1, 1, 8, 8), y), batch_size=64, shuffle=True)
    net = CNN()
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(5):
        for xb, yb in loader:
            opt.zero_grad()
            loss = nn.CrossEntropyLoss()(net(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x.view(-1, 1, 8, 8), y)}


@sick("UT501", module=("fc1", ""), split="build", note="wine as measured: proline near 750, hue near 1")
def raw_wine_features():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(13, 32)
            self.fc2 = nn.Linear(32, 3)

        def forward(self, x):
            return self.fc2(F.relu(self.fc1(x)))

    torch.manual_seed(2)
    x, y = raw_wine()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(200):
        loss = F.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT501", module=("0", ""), split="judge", note="breast cancer as measured, scales from 0.003 to 2500")
def raw_cancer_features():
    torch.manual_seed(3)
    x, y = raw_cancer()
    model = nn.Sequential(nn.Linear(30, 16), nn.Sigmoid(), nn.Linear(16, 1), nn.Sigmoid())
    opt = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    criterion = nn.BCELoss()
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = criterion(model(x[i]), y[i].float().unsqueeze(1))
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), y, 0.5)}


@sick("UT501", module=("0", ""), split="build", note="a column of years next to standardized ones")
def year_column():
    torch.manual_seed(4)
    x, y = regression(400, 6)
    year = torch.randint(1990, 2024, (400, 1)).float()
    x = torch.cat([x, year], 1)
    model = nn.Sequential(nn.Linear(7, 24), nn.ReLU(), nn.Linear(24, 1))
    opt = torch.optim.SGD(model.parameters(), lr=1e-7, momentum=0.9)
    for _ in range(200):
        loss = F.mse_loss(model(x).squeeze(1), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT501", module=("gru", ""), split="judge", note="a series in raw units, near 20 000")
def series_in_raw_units():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(1, 16, batch_first=True)
            self.fc = nn.Linear(16, 1)

        def forward(self, x):
            return self.fc(self.gru(x)[0][:, -1])

    torch.manual_seed(5)
    x, y = waves(256, 15)
    x = 20_000 + 5_000 * x
    model = Forecaster()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(120):
        i = torch.randint(256, (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@sick("UT501", module=("net.0", "net", ""), split="build", note="one of two coordinates in micrometres")
def mixed_units():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))

        def forward(self, x):
            return self.net(x)

    torch.manual_seed(6)
    x, y = moons()
    x = x * torch.tensor([1.0, 1e6])
    model = Model()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT501", module=("0", ""), split="judge", note="blood values of 20 to 300 and sex of 1 or 2")
def raw_diabetes_features():
    torch.manual_seed(7)
    x, _ = raw_diabetes()
    _, y = diabetes()
    model = nn.Sequential(nn.Linear(10, 32), nn.Sigmoid(), nn.Linear(32, 1))
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    for _ in range(200):
        opt.zero_grad()
        loss = F.mse_loss(model(x), y[:, None])
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT701", split="build", note="labels shuffled")
def shuffled_digits():
    torch.manual_seed(10)
    x, y = digits()
    y = y[torch.randperm(len(y))]
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT502", module=None, split="judge", note="every pixel is 0 after an integer division")
def pixels_divided_to_zero():
    torch.manual_seed(11)
    x, y = digits_255()
    x = (x // 256).view(-1, 1, 8, 8)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 10)
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT701", split="build", note="inputs and targets joined on the wrong key")
def wrongly_joined_regression():
    torch.manual_seed(12)
    x, y = regression(2000, 8)
    y = y.roll(7)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        i = torch.randint(2000, (100,))
        loss = F.mse_loss(model(x[i]).squeeze(1), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@sick("UT701", split="judge", note="a language model over random characters")
def random_text():
    class LanguageModel(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(20, 16)
            self.gru = nn.GRU(16, 32, batch_first=True)
            self.out = nn.Linear(32, 20)

        def forward(self, x):
            return self.out(self.gru(self.embed(x))[0])

    torch.manual_seed(13)
    text = torch.randint(20, (20_000,))
    pieces = text.unfold(0, 11, 1)
    model = LanguageModel()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(120):
        piece = pieces[torch.randint(len(pieces), (64,))]
        loss = F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT701", split="build", note="augmentation noise drowns the inputs")
def drowned_in_noise():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(4, 24)
            self.fc2 = nn.Linear(24, 3)

        def forward(self, x):
            return self.fc2(torch.tanh(self.fc1(x)))

    torch.manual_seed(14)
    _, y = iris()
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(150):
        i = torch.randint(150, (64,))
        x = torch.randn(64, 4)
        loss = F.cross_entropy(net(x), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT701", split="judge", note="each batch gets the labels of another one")
def labels_of_another_batch():
    torch.manual_seed(15)
    x, y = moons(1000)
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(10):
        inputs = DataLoader(x, batch_size=50, shuffle=True)
        labels = DataLoader(y, batch_size=50, shuffle=True)
        for xb, yb in zip(inputs, labels):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(xb).squeeze(1), yb.float())
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(net(x), y)}
