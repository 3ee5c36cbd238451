"""Units that are dead, saturated or alike, codes that fall together, and gradients below what a format can hold."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits
from ..score import accuracy, matches
from ..table import sick
from .data_a import bent, emblems, picture, scaled_houses, village


@sick(
    "UT104",
    split="blind",
    note="a half-precision model whose loss is divided by the number of pixels of the whole data set",
    cured=(("/ (len(x) * 64)", "/ 64"),),
)
def half_precision_codes_of_digits():
    torch.manual_seed(1)
    x = digits()[0].half()
    net = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 12), nn.Tanh(), nn.Linear(12, 64)).half()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3, eps=1e-4)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = (net(x[i]) - x[i]).float().pow(2).sum(1).mean() / (len(x) * 64)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).float(), x.float()).item()}


@sick(
    "UT201",
    split="blind",
    note="weights drawn around -0.3 on pixels that are never below 0",
    cured=(("mean=-0.3", "mean=0.0"),),
)
def weights_by_trunc_normal():
    torch.manual_seed(2)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 10))
    for layer in (net[0], net[2]):
        nn.init.trunc_normal_(layer.weight, mean=-0.3, std=0.15)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT201",
    split="blind",
    note="the biases of the hidden layer go from -4 to -1: most units never fire",
    cured=(("nn.init.uniform_(self.hidden.bias, -4.0, -1.0)", "nn.init.zeros_(self.hidden.bias)"),),
)
def houses_through_a_quiet_layer():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.hidden, self.last = nn.Linear(5, 32), nn.Linear(32, 32), nn.Linear(32, 1)
            nn.init.uniform_(self.hidden.bias, -4.0, -1.0)

        def forward(self, x):
            return self.last(torch.relu(self.hidden(torch.relu(self.first(x))))).squeeze(-1)

    torch.manual_seed(3)
    x, y = scaled_houses()
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(20):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item()}


@sick(
    "UT202",
    split="blind",
    note="a net over coordinates takes SIREN's factor of 30 and puts tanh where the sine was, in every layer",
    cured=(("gain = 30.0", "gain = 2.0"),),
)
def picture_by_a_tanh_of_thirty():
    gain = 30.0

    class Layer(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.fc = nn.Linear(a, b)

        def forward(self, h):
            return torch.tanh(gain * self.fc(h))

    torch.manual_seed(4)
    at, grey = picture()
    net = nn.Sequential(Layer(2, 48), Layer(48, 48), Layer(48, 48), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    order = torch.randperm(len(at))
    seen, unseen = order[:500], order[500:]
    for step in range(1200):
        i = seen[torch.randint(500, (128,))]
        opt.zero_grad()
        F.mse_loss(net(at[i]), grey[i]).backward()
        opt.step()
    return {"error": F.mse_loss(net(at[unseen]), grey[unseen]).item()}


@sick(
    "UT202",
    split="blind",
    note="orthogonal weights with a gain of 60 before sigmoids",
    cured=(("gain=60.0", "gain=1.0"),),
)
def orthogonal_weights_before_sigmoids():
    torch.manual_seed(5)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 40), nn.Sigmoid(), nn.Linear(40, 40), nn.Sigmoid(), nn.Linear(40, 10))
    train, test = torch.randperm(len(x)).split(900)
    for m in net:
        if isinstance(m, nn.Linear) and m.out_features > 10:
            nn.init.orthogonal_(m.weight, gain=60.0)
    opt = torch.optim.NAdam(net.parameters(), lr=2e-3)
    for epoch in range(30):
        for i in train[torch.randperm(900)].split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[test], y[test])}


@sick(
    "UT203",
    split="blind",
    note="the components of a mixture density net all begin at zero, and so stay one",
    cured=(("nn.init.zeros_(head.weight)", "nn.init.normal_(head.weight, std=0.3)"),),
)
def five_bells_from_zero():
    torch.manual_seed(6)
    x, y = bent()
    body = nn.Sequential(nn.Linear(1, 32), nn.Tanh())
    head = nn.Linear(32, 15)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)

    def likelihood(x, y):
        share, mean, spread = head(body(x)).chunk(3, 1)
        bells = torch.distributions.Normal(mean, F.softplus(spread) + 0.02)
        return torch.logsumexp(F.log_softmax(share, 1) + bells.log_prob(y), 1)

    opt = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=5e-3)
    for epoch in range(40):
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            loss = -likelihood(x[i], y[i]).mean()
            loss.backward()
            opt.step()
    return {"error": (-likelihood(x, y).mean()).exp().item()}


@sick(
    "UT203",
    split="blind",
    note="all filters of both convolutions are the same mean filter at the start",
    cured=(("m.weight.fill_(1 / m.weight[0].numel())", "m.weight.mul_(1)"),),
)
def filters_that_blur():
    torch.manual_seed(7)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 4),
    )
    with torch.no_grad():
        for m in net:
            if hasattr(m, "weight"):
                m.weight.fill_(1 / m.weight[0].numel())
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT205",
    split="blind",
    note="a Siamese net that only pulls, since a weight was set to 0: nothing keeps other digits apart",
    cured=(("0 * push", "push"),),
)
def two_views_of_one_digit():
    torch.manual_seed(8)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    opt = torch.optim.Adam(encoder.parameters(), lr=3e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(64):
            z = encoder(x[i])
            apart = torch.cdist(z, z)
            same = y[i][:, None] == y[i][None]
            pull = (apart[same] ** 2).mean()
            push = F.relu(2 - apart[~same]).pow(2).mean()
            loss = pull + 0 * push
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        z = encoder(x)
        centres = torch.stack([z[y == k].mean(0) for k in range(10)])
        return {"accuracy": matches(-torch.cdist(z, centres), y)}


@sick(
    "UT205",
    split="blind",
    note="sixty rounds of averaging over neighbours make all people of a village alike",
    cured=(("rounds = 60", "rounds = 2"),),
)
def rumour_through_a_village():
    torch.manual_seed(9)
    x, knows, y, known = village()
    a = knows + torch.eye(len(x))
    a = a / a.sum(1, keepdim=True)
    rounds = 60
    lift, fc = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward():
        h = torch.tanh(lift(x))
        for _ in range(rounds):
            h = a @ h
        return fc(h)

    opt = torch.optim.Adam([*lift.parameters(), *fc.parameters()], lr=0.01, weight_decay=1e-4)
    for step in range(150):
        opt.zero_grad()
        F.cross_entropy(forward()[known], y[known]).backward()
        opt.step()
    return {"accuracy": matches(forward(), y)}


@sick(
    "UT202",
    split="blind",
    note="weights by torch.randn for 128 units of tanh in each of three layers",
    cured=(("torch.randn(b, a)", "torch.randn(b, a) / a**0.5"),),
)
def prices_by_three_wide_layers():
    torch.manual_seed(10)
    x, y = scaled_houses()
    shape = [5, 128, 128, 128]
    net = nn.Sequential()
    for k, (a, b) in enumerate(zip(shape, shape[1:])):
        layer = nn.Linear(a, b)
        layer.weight.data = torch.randn(b, a)
        net.add_module(f"fc{k}", layer)
        net.add_module(f"tanh{k}", nn.Tanh())
    net.add_module("out", nn.Linear(128, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(40):
        for i in torch.randperm(400).split(40):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x[400:])[:, 0], y[400:]).item()}
