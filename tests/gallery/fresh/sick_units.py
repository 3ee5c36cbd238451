"""Units that are dead, saturated or alike, attention that is settled, and gradients too small for their format."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits
from ..score import accuracy, matches
from ..table import sick
from .data import bars, films, sensors, spirals


@sick(
    "UT104",
    split="fresh",
    note="a model in half precision, its loss multiplied by a weight of a millionth",
    cured=(("weight = 1e-7", "weight = 1.0"),),
)
def half_precision_and_a_small_loss_weight():
    torch.manual_seed(0)
    x, y = digits()
    x = x.half()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).half()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-4)
    weight = 1e-7
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = weight * F.cross_entropy(net(x[i]).float(), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": matches(net(x), y)}


@sick(
    "UT105",
    split="fresh",
    note="attention scores divided by a temperature of 0.01 in place of the root of the width",
    cured=(("/ 0.01", "/ 16**0.5"),),
)
def attention_at_a_hundredth_of_a_degree():
    class Pool(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.key, self.value = nn.Linear(3, 16), nn.Linear(16, 16), nn.Linear(16, 16)
            self.query, self.fc = nn.Linear(16, 16), nn.Linear(16, 3)

        def forward(self, x):
            h = torch.tanh(self.lift(x))
            scores = self.query(h) @ self.key(h).transpose(1, 2) / 0.01
            return self.fc((scores.softmax(-1) @ self.value(h)).mean(1))

    torch.manual_seed(1)
    x, y = sensors()
    net = Pool()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.cross_entropy(net(x), y).item()}


@sick(
    "UT201",
    split="fresh",
    note="weights by torch.rand, all of them positive, with the sign of the inputs turned by an inverted image",
    cured=(("torch.rand(m.weight.shape) / 8", "torch.randn(m.weight.shape) / 8"),),
)
def positive_weights_on_negative_pixels():
    torch.manual_seed(2)
    x, y = digits()
    x = -x
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    for m in net:
        if isinstance(m, nn.Linear):
            m.weight.data = torch.rand(m.weight.shape) / 8
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT201",
    split="fresh",
    note="the biases of two convolutions set to -3, to make the features sparse",
    cured=(("nn.init.constant_(m.bias, -3.0)", "nn.init.constant_(m.bias, 0.0)"),),
)
def sparse_by_a_bias_of_minus_three():
    torch.manual_seed(3)
    x, y = bars()
    body = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU()]
    net = nn.Sequential(*body, nn.Flatten(), nn.Linear(144, 4))
    for m in net:
        if isinstance(m, nn.Conv2d):
            nn.init.constant_(m.bias, -3.0)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(8):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT202",
    split="fresh",
    note="a first network by hand: weights by rand between 0 and 1, sigmoids",
    cured=(("torch.rand(a, b)", "(torch.rand(a, b) - 0.5) / a**0.5"),),
)
def weights_by_rand_and_sigmoids():
    torch.manual_seed(4)
    x, y = digits()
    weights = [nn.Parameter(torch.rand(a, b)) for a, b in [(64, 32), (32, 32), (32, 10)]]
    biases = [torch.zeros(b, requires_grad=True) for b in (32, 32, 10)]
    opt = torch.optim.SGD(weights + biases, lr=0.3, momentum=0.9)

    def forward(h):
        for w, b in zip(weights[:-1], biases):
            h = torch.sigmoid(h @ w + b)
        return h @ weights[-1] + biases[-1]

    for epoch in range(25):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(forward(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": matches(forward(x), y)}


@sick(
    "UT202",
    split="fresh",
    note="an LSTM cell whose weights were drawn with a deviation of 5: all gates are open or shut",
    cured=(("std=5.0", "std=0.2"),),
)
def gates_open_or_shut():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(3, 24, batch_first=True), nn.Linear(24, 3)
            for name, p in self.rnn.named_parameters():
                if "weight" in name:
                    nn.init.normal_(p, std=5.0)

        def forward(self, x):
            return self.fc(self.rnn(x)[0][:, -1])

    torch.manual_seed(5)
    x, y = sensors()
    net = Net()
    opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT203",
    split="fresh",
    note="people and films all begin with the same factors",
    cured=(("nn.init.constant_(p.weight, 0.3)", "nn.init.normal_(p.weight, std=0.3)"),),
)
def factors_begin_alike():
    torch.manual_seed(6)
    who, what, stars = films()
    a, b = nn.Embedding(60, 8), nn.Embedding(80, 8)
    for p in (a, b):
        nn.init.constant_(p.weight, 0.3)
    opt = torch.optim.Adam([*a.parameters(), *b.parameters()], lr=0.02)
    for epoch in range(25):
        for i in torch.randperm(4000).split(100):
            opt.zero_grad()
            loss = F.mse_loss((a(who[i]) * b(what[i])).sum(1), stars[i] - 3)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss((a(who) * b(what)).sum(1), stars - 3).item()}


@sick(
    "UT203",
    split="fresh",
    note="every layer initialised with a constant of 0.05",
    cured=(("nn.init.constant_(p, 0.05)", "nn.init.uniform_(p, -0.3, 0.3)"),),
)
def constant_of_a_twentieth():
    torch.manual_seed(7)
    x, y = spirals()
    net = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 3))
    for p in net.parameters():
        nn.init.constant_(p, 0.05)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(40):
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
