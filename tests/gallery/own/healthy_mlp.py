"""Multilayer perceptrons that learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digits, iris, moons, raw_diabetes, raw_iris, regression, wine
from ..score import accuracy, hits
from ..table import healthy


@healthy(split="build")
def digits_two_layers():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="log_softmax before cross-entropy, which changes nothing")
def log_softmax_then_cross_entropy():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(64, 48)
            self.fc2 = nn.Linear(48, 10)

        def forward(self, x):
            return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)

    torch.manual_seed(1)
    x, y = digits()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="NLLLoss, as it is meant")
def wine_log_softmax_nll():
    torch.manual_seed(2)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 3), nn.LogSoftmax(dim=1))
    criterion = nn.NLLLoss()
    opt = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    for _ in range(100):
        loss = criterion(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="sigmoid and BCELoss, as they are meant")
def cancer_sigmoid_bce():
    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Linear(30, 16)
            self.out = nn.Linear(16, 1)

        def forward(self, x):
            return torch.sigmoid(self.out(torch.relu(self.hidden(x))))

    torch.manual_seed(3)
    x, y = cancer()
    target = y.float().unsqueeze(1)
    model = Detector()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.binary_cross_entropy(model(x[i]), target[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), y, 0.5)}


@healthy(split="build", odd="raw logits for BCEWithLogitsLoss")
def moons_logits():
    torch.manual_seed(4)
    x, y = moons()
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    loss_fn = nn.BCEWithLogitsLoss()
    opt = torch.optim.AdamW(net.parameters(), lr=0.01)
    for _ in range(200):
        out = net(x).squeeze(1)
        loss = loss_fn(out, y.float())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(out, y)}


@healthy(split="judge", odd="noisy targets: the loss cannot fall below about half the variance")
def diabetes_column_targets():
    torch.manual_seed(5)
    x, y = diabetes()
    y = y.unsqueeze(1)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    start = F.mse_loss(model(x), y).item()
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"start": start, "loss": F.mse_loss(model(x), y).item()}


@healthy(split="build", odd="linear regression without a hidden layer, functional")
def linear_regression():
    torch.manual_seed(6)
    x, y = regression()
    w = torch.zeros(10, requires_grad=True)
    b = torch.zeros((), requires_grad=True)
    opt = torch.optim.SGD([w, b], lr=0.05)
    for _ in range(200):
        loss = ((x @ w + b - y) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="judge", odd="features of 0.1 to 7.9 as measured, which is mild")
def iris_as_measured():
    torch.manual_seed(7)
    x, y = raw_iris()
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(30):
        for i in torch.randperm(150).split(16):
            loss = F.cross_entropy(model(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="targets of 25 to 346, learned all the same")
def targets_in_raw_units():
    torch.manual_seed(8)
    x, _ = diabetes()
    _, y = raw_diabetes()
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.03)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(40):
            loss = F.mse_loss(model(x[i]).squeeze(1), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": F.mse_loss(model(x).squeeze(1), y).item(), "variance": y.var().item()}


@healthy(split="judge", odd="overfits: far more parameters than the 60 rows it sees")
def overfits_on_sixty():
    torch.manual_seed(9)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(100):
        loss = F.cross_entropy(model(x[:60]), y[:60])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x[60:], y[60:])}


@healthy(split="build", odd="converges early and then stays flat at a low loss")
def flat_after_convergence():
    torch.manual_seed(10)
    x, y = iris()
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
    opt = torch.optim.Adam(model.parameters(), lr=0.05, weight_decay=1e-3)
    for _ in range(500):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="two layers of sigmoids, slow but sound")
def shallow_sigmoid():
    torch.manual_seed(11)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 40), nn.Sigmoid(), nn.Linear(40, 40), nn.Sigmoid(), nn.Linear(40, 10))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="dropout of 0.7")
def strong_dropout():
    torch.manual_seed(12)
    x, y = digits()
    model = nn.Sequential(
        nn.Linear(64, 256),
        nn.ReLU(),
        nn.Dropout(0.7),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="LBFGS calls its closure many times a step")
def lbfgs_closure():
    torch.manual_seed(13)
    x, y = moons()
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    opt = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=4)

    def closure():
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        return loss

    for _ in range(60):
        loss = opt.step(closure)
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="nine layers of tanh, small batches, Xavier")
def deep_tanh_xavier():
    torch.manual_seed(14)
    x, y = wine()
    sizes = [13] + [32] * 8
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        linear = nn.Linear(a, b)
        nn.init.xavier_normal_(linear.weight, gain=nn.init.calculate_gain("tanh"))
        layers += [linear, nn.Tanh()]
    model = nn.Sequential(*layers, nn.Linear(32, 3))
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    for epoch in range(20):
        for i in torch.randperm(178).split(30):
            loss = F.cross_entropy(model(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}
