"""Units driven into the flat ends of their activation."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digit_images, digits, first_symbol, moons, wine
from ..score import accuracy, hits
from ..table import sick


@sick("UT202", module=("1", "0", "2", "3"), split="build")
def sigmoid_huge_weights():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 50), nn.Sigmoid(), nn.Linear(50, 50), nn.Sigmoid(), nn.Linear(50, 10))
    for layer in (model[0], model[2]):
        nn.init.normal_(layer.weight, std=20.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    for _ in range(150):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT202", module=("l1", "l2", "l3"), split="judge")
def tanh_wide_uniform():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.l1 = nn.Linear(13, 40)
            self.l2 = nn.Linear(40, 40)
            self.l3 = nn.Linear(40, 40)
            self.out = nn.Linear(40, 3)
            for layer in (self.l1, self.l2, self.l3):
                nn.init.uniform_(layer.weight, -10, 10)

        def forward(self, x):
            for layer in (self.l1, self.l2, self.l3):
                x = torch.tanh(layer(x))
            return self.out(x)

    torch.manual_seed(1)
    x, y = wine()
    order = torch.randperm(178)
    train, test = order[:120], order[120:]
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(150):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[train]), y[train])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x[test], y[test])}


@sick("UT202", module="rnn", split="build")
def recurrent_weights_of_five():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(4, 32, batch_first=True)
            self.fc = nn.Linear(32, 4)
            for name, p in self.rnn.named_parameters():
                nn.init.normal_(p, std=5.0)

        def forward(self, x):
            return self.fc(self.rnn(x)[0][:, -1])

    torch.manual_seed(2)
    x, y = first_symbol(1500, 8)
    model = Model()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(150):
        i = torch.randint(len(x), (100,))
        opt.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT202", module=("code", "code.0", "code.1"), split="judge")
def saturated_code():
    class AutoEncoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.code = nn.Sequential(nn.Linear(64, 10), nn.Sigmoid())
            self.decode = nn.Linear(10, 64)
            nn.init.uniform_(self.code[0].weight, 0, 5)

        def forward(self, x):
            return self.decode(self.code(x))

    torch.manual_seed(3)
    x, _ = digits()
    model = AutoEncoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(10):
        for i in torch.randperm(len(x)).split(128):
            loss = F.mse_loss(model(x[i]), x[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "variance": x.var(0).mean().item()}


@sick("UT202", module=("conv1", "conv2", "conv3"), split="build")
def tanh_convolutions_times_thirty():
    class CNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
            self.conv2 = nn.Conv2d(8, 8, 3, padding=1, stride=2)
            self.conv3 = nn.Conv2d(8, 8, 3, padding=1, stride=2)
            self.fc = nn.Linear(32, 10)
            for conv in (self.conv1, self.conv2, self.conv3):
                conv.weight.data.mul_(30)

        def forward(self, x):
            x = torch.tanh(self.conv1(x))
            x = torch.tanh(self.conv2(x))
            x = torch.tanh(self.conv3(x))
            return self.fc(x.flatten(1))

    torch.manual_seed(4)
    x, y = digit_images()
    model = CNN()
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    for _ in range(3):
        for xb, yb in loader:
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT202", module=("2", "3"), split="judge", note="bias of 20 under a sigmoid")
def bias_of_twenty():
    torch.manual_seed(5)
    x, y = cancer()
    y = y.float().unsqueeze(1)
    net = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 8), nn.Sigmoid(), nn.Linear(8, 1))
    nn.init.constant_(net[2].bias, 20.0)
    criterion = nn.BCEWithLogitsLoss()
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(150):
        opt.zero_grad()
        out = net(x)
        loss = criterion(out, y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(out, y)}


@sick("UT202", module=("hidden", "act"), split="build", note="Kaiming times 50 before tanh, regression")
def tanh_regressor_fifty():
    class Regressor(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp = nn.Linear(3, 32)
            self.hidden = nn.Linear(32, 6)
            self.act = nn.Tanh()
            self.out = nn.Linear(6, 1)
            nn.init.kaiming_normal_(self.hidden.weight)
            self.hidden.weight.data *= 50

        def forward(self, x):
            return self.out(self.act(self.hidden(F.relu(self.inp(x)))))

    torch.manual_seed(6)
    x = torch.randn(400, 3)
    y = torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:]
    model = Regressor()
    opt = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    for _ in range(300):
        loss = F.mse_loss(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT202", module=("gate", "gate.0", "gate.1"), split="judge", note="hard sigmoid beyond its linear part")
def hard_gates_shut():
    class GatedNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Sequential(nn.Linear(2, 24), nn.Hardsigmoid())
            self.value = nn.Linear(2, 24)
            self.out = nn.Linear(24, 2)
            nn.init.constant_(self.gate[0].bias, -9.0)

        def forward(self, x):
            return self.out(self.gate(x) * torch.tanh(self.value(x)))

    torch.manual_seed(7)
    x, y = moons(400)
    model = GatedNet()
    opt = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(150):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}
