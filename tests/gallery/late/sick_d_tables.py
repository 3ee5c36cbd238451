"""Networks on tables that do not learn, as their owners would send them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ..data import cancer, diabetes, digits, wine
from ..score import accuracy, hits
from ..table import sick


@sick(
    "UT501",
    split="late",
    note="income in euros and age in years straight into an MLP",
    cured=(("features = table", "features = (table - table.mean(0)) / table.std(0)"),),
)
def credit_default_in_euros():
    torch.manual_seed(0)
    n = 800
    age = 18 + 60 * torch.rand(n)
    income = 20000 + 40000 * torch.rand(n)
    debt = income * torch.rand(n)
    years = (age - 18) * torch.rand(n)
    table = torch.stack([age, income, debt, years], 1)
    risk = 3 * debt / income - 0.04 * age - 0.1 * years
    default = (risk > risk.median()).float()
    features = table
    net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    loss_fn = nn.BCEWithLogitsLoss()
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(features, default), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = loss_fn(net(xb).squeeze(1), yb)
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(features), default)}


@sick(
    "UT404",
    split="late",
    note="predictions (n, 1) against targets (n,) in an L1 loss",
    cured=(("self.criterion(out, target)", "self.criterion(out.squeeze(1), target)"),),
)
def progression_regressor_with_lost_axis():
    class Regressor:
        def __init__(self, inputs):
            self.model = nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1))
            self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-3)
            self.criterion = nn.SmoothL1Loss()

        def fit(self, data, targets, epochs):
            self.model.train()
            for _ in range(epochs):
                for i in torch.randperm(len(data)).split(32):
                    out, target = self.model(data[i]), targets[i]
                    loss = self.criterion(out, target)  # <- fault
                    self.optimizer.zero_grad()
                    loss.backward()
                    self.optimizer.step()
            return self

        @torch.no_grad()
        def predict(self, data):
            return self.model.eval()(data).squeeze(1)

    torch.manual_seed(1)
    x, y = diabetes()
    reg = Regressor(10).fit(x[:350], y[:350], 20)
    return {"error": F.mse_loss(reg.predict(x[350:]), y[350:]).item()}


@sick(
    "UT403",
    split="late",
    note="one output and CrossEntropyLoss for yes or no",
    cured=(("nn.CrossEntropyLoss()", "nn.BCEWithLogitsLoss()"),),
)
def tumour_yes_or_no():
    class TumourNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(30, 24)
            self.fc2 = nn.Linear(24, 12)
            self.fc3 = nn.Linear(12, 1)

        def forward(self, x):
            x = F.relu(self.fc1(x))
            x = F.relu(self.fc2(x))
            return self.fc3(x)

    torch.manual_seed(2)
    data, labels = cancer()
    labels = labels.float().unsqueeze(1)
    model = TumourNet()
    criterion = nn.CrossEntropyLoss()  # <- fault
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(15):
        for i in range(0, len(data), 32):
            optimizer.zero_grad()
            output = model(data[i : i + 32])
            loss = criterion(output, labels[i : i + 32])
            loss.backward()
            optimizer.step()
    return {"accuracy": hits(model(data), labels)}


@sick(
    "UT306",
    split="late",
    note="steps only at each eighth batch, and an epoch has six",
    cured=(("accumulate = 8", "accumulate = 2"),),
)
def wine_with_long_accumulation():
    torch.manual_seed(3)
    x, y = wine()
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(13, 32), nn.LeakyReLU(0.1), nn.Linear(32, 3))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    accumulate = 8
    for epoch in range(25):
        optimizer.zero_grad()
        for step, (inputs, labels) in enumerate(loader):
            loss = F.cross_entropy(model(inputs), labels) / accumulate
            loss.backward()
            if (step + 1) % accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT508",
    split="late",
    note="flats priced in euros, squared error, Adam at 1e-3",
    cured=(("price = base", "price = (base - base.mean()) / base.std()"),),
)
def flat_prices_in_euros():
    torch.manual_seed(4)
    n = 600
    x = torch.randn(n, 6)
    base = 240_000 + 60_000 * (x[:, 0] + 0.5 * x[:, 1] * x[:, 2] - 0.6 * x[:, 3].abs())
    price = base
    train, test = slice(0, 480), slice(480, n)
    net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
    optim = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(30):
        for i in torch.randperm(480).split(48):
            optim.zero_grad()
            loss = F.mse_loss(net(x[train][i]), price[train][i])
            loss.backward()
            optim.step()
    with torch.no_grad():
        mse = F.mse_loss(net(x[test]), price[test])
    return {"error": (mse / price[test].var()).item()}


@sick(
    "UT505",
    split="late",
    note="three frauds in a hundred, plain binary cross-entropy",
    cured=(("nn.BCEWithLogitsLoss()", "nn.BCEWithLogitsLoss(pos_weight=torch.tensor(30.0))"),),
)
def card_fraud_rare():
    torch.manual_seed(5)
    n = 3000
    fraud = torch.rand(n) < 0.03
    x = torch.randn(n, 8)
    x[fraud] += torch.tensor([1.0, -0.9, 0.8, 0, 0, 0.7, 0, 0])
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    criterion = nn.BCEWithLogitsLoss()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    loader = DataLoader(TensorDataset(x, fraud.float()), batch_size=128, shuffle=True)
    for epoch in range(10):
        for xb, yb in loader:
            loss = criterion(net(xb).view(-1), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
    found = (net(x).detach().view(-1) > 0).float()
    return {"accuracy": (0.5 * (found[fraud].mean() + (1 - found[~fraud]).mean())).item()}


@sick(
    "UT304",
    split="late",
    module="hidden",
    note="hidden layers in a plain list, so the optimizer has only the ends",
    cured=(("self.hidden = [", "self.hidden = nn.ModuleList(["), ("for _ in range(depth)]", "for _ in range(depth)])")),
)
def digits_with_python_list():
    class Deep(nn.Module):
        def __init__(self, width=32, depth=5):
            super().__init__()
            self.first = nn.Linear(64, width)
            self.hidden = [nn.Linear(width, width) for _ in range(depth)]
            self.last = nn.Linear(width, 10)

        def forward(self, x):
            x = F.relu(self.first(x))
            for layer in self.hidden:
                x = F.relu(layer(x))
            return self.last(x)

    torch.manual_seed(6)
    x, y = digits()
    model = Deep()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(400):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT502",
    split="late",
    note="pixels divided by whole numbers, so that all is 0",
    cured=(("// 255", "/ 255"),),
)
def bytes_divided_whole():
    class ByteImages(Dataset):
        def __init__(self):
            pixels, self.labels = digits()
            self.pixels = (pixels * 254).to(torch.uint8)

        def __len__(self):
            return 600

        def __getitem__(self, i):
            return (self.pixels[i] // 255).float(), self.labels[i]  # <- fault

    torch.manual_seed(7)
    loader = DataLoader(ByteImages(), batch_size=50, shuffle=True)
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    for epoch in range(8):
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    images, labels = next(iter(DataLoader(ByteImages(), batch_size=600)))
    return {"accuracy": accuracy(model, images, labels)}


@sick(
    "UT507",
    split="late",
    note="a table exported sorted by its class and read in that order",
    cured=(("shuffle=False", "shuffle=True"),),
)
def soil_types_in_export_order():
    torch.manual_seed(8)
    soil = torch.arange(6).repeat_interleave(400)
    centres = 1.4 * torch.randn(6, 9)
    table = centres[soil] + torch.randn(2400, 9)
    loader = DataLoader(TensorDataset(table, soil), batch_size=32, shuffle=False)
    net = nn.Sequential(nn.Linear(9, 20), nn.ReLU(), nn.Linear(20, 6))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(4):
        for xb, yb in loader:
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, table, soil)}
