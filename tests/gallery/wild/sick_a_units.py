"""Units that are dead, full or alike, transfers gone wrong, numbers that break, and settings of optimizers."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digits, standardized, wine
from ..score import accuracy, hits
from ..table import sick
from .data_a import beats, figures, flats, friedman, tags


@sick(
    "UT201",
    split="wild",
    note="a bias of -4 before each ReLU",
    cured=(("nn.init.constant_(m.bias, -4.0)", "nn.init.constant_(m.bias, 0.0)"),),
)
def wine_with_biases_of_minus_four():
    def init(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            nn.init.constant_(m.bias, -4.0)  # <- fault

    torch.manual_seed(140)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    net.apply(init)
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(20):
        for b in torch.randperm(178).split(20):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT201",
    split="wild",
    note="filters drawn below 0 over pixels above 0: no unit of the first layer ever fires",
    module="0",
    cured=(("uniform_(net[0].weight, -0.5, 0.0)", "uniform_(net[0].weight, -0.25, 0.25)"),),
)
def figures_under_negative_filters():
    torch.manual_seed(141)
    x, kind = figures()
    net = nn.Sequential(
        *[nn.Conv2d(1, 12, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 16, 3), nn.ReLU()],
        *[nn.Flatten(), nn.Linear(64, 4)],
    )
    nn.init.uniform_(net[0].weight, -0.5, 0.0)  # <- fault
    nn.init.zeros_(net[0].bias)
    opt = torch.optim.NAdam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for xb, kb in DataLoader(TensorDataset(x[:500], kind[:500]), 25, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), kb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[500:], kind[500:])}


@sick(
    "UT202",
    split="wild",
    note="tanh units fed by weights of deviation 2",
    cured=(("nn.init.normal_(p, std=2.0)", "nn.init.xavier_normal_(p)"),),
)
def tags_by_full_tanh_units():
    torch.manual_seed(142)
    x, y = tags()
    net = nn.Sequential(nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 5))
    for name, p in net[:4].named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(p, std=2.0)
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(30):
        for b in torch.randperm(560).split(56):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": hits(net(x[560:]), y[560:])}


@sick(
    "UT202",
    split="wild",
    note="sigmoids with a slope of 50 in the hidden layer",
    cured=(("beta=50.0", "beta=2.0"),),
)
def rents_by_steep_sigmoids():
    class Steep(nn.Module):
        def __init__(self, beta=50.0):
            super().__init__()
            self.beta = beta

        def forward(self, x):
            return torch.sigmoid(self.beta * x)

    torch.manual_seed(143)
    x, rent = flats()
    x, y = standardized(x), standardized(rent)
    net = nn.Sequential(nn.Linear(6, 32), Steep(), nn.Linear(32, 32), Steep(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(300):
        b = torch.randint(480, (32,))
        opt.zero_grad()
        F.mse_loss(net(x[b]), y[b]).backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]), y[480:]).item()}


@sick(
    "UT203",
    split="wild",
    note="all weights 0.05",
    cured=(("nn.init.constant_(m.weight, 0.05)", "nn.init.xavier_uniform_(m.weight)"),),
)
def digits_from_one_constant():
    def init_weights(m):
        if type(m) is nn.Linear:
            nn.init.constant_(m.weight, 0.05)  # <- fault
            nn.init.zeros_(m.bias)

    torch.manual_seed(144)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 10))
    net.apply(init_weights)
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(8):
        for b in torch.randperm(1400).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@sick(
    "UT203",
    split="wild",
    note="one filter repeated for each channel",
    module="conv",
    cured=((".repeat(12, 1, 1)", ".repeat(12, 1, 1) + 0.3 * torch.randn(12, 1, 9)"),),
)
def pulses_by_twelve_equal_filters():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 12, 9, stride=2)
            with torch.no_grad():
                self.conv.weight.copy_(torch.hann_window(9).view(1, 1, 9).repeat(12, 1, 1))
                self.conv.bias.zero_()
            self.head = nn.Linear(12, 4)
            nn.init.constant_(self.head.weight, 0.1)
            nn.init.zeros_(self.head.bias)

        def forward(self, x):
            return self.head(F.relu(self.conv(x)).amax(2))

    torch.manual_seed(145)
    x, kind = beats()
    net = Net()
    for p in [net.head.weight]:
        p.data = p.data[:, :1].repeat(1, 12) + torch.randn(4, 1) * 0.3
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(25):
        for b in torch.randperm(400).split(25):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), kind[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[400:], kind[400:])}


@sick(
    "UT311",
    split="wild",
    note="eps=1 in Adam with its usual rate",
    cured=(("eps=1.0", "eps=1e-8"),),
)
def traces_under_an_epsilon_of_one():
    torch.manual_seed(146)
    x, _ = beats()
    x = x.squeeze(1)
    net = nn.Sequential(nn.Linear(64, 40), nn.Tanh(), nn.Linear(40, 8), nn.Linear(8, 40), nn.Tanh(), nn.Linear(40, 64))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3, eps=1.0)  # <- fault
    for epoch in range(30):
        for b in torch.randperm(400).split(40):
            opt.zero_grad()
            F.mse_loss(net(x[b]), x[b]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[400:]), x[400:]).item()}


@sick(
    "UT312",
    split="wild",
    note="a momentum of 1",
    cured=(("momentum=1.0", "momentum=0.9"),),
)
def tumours_that_never_slow_down():
    torch.manual_seed(147)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=1.0)  # <- fault
    for step in range(300):
        b = torch.randint(450, (32,))
        opt.zero_grad()
        F.cross_entropy(net(x[b]), y[b]).backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.cross_entropy(net(x[450:]), y[450:]).item()}


@sick(
    "UT312",
    split="wild",
    note="the betas in the wrong order",
    cured=(("betas=(0.999, 0.9)", "betas=(0.9, 0.999)"),),
)
def friedman_with_betas_in_the_wrong_order():
    torch.manual_seed(148)
    x, y = friedman()
    net = nn.Sequential(nn.Linear(10, 48), nn.GELU(), nn.Linear(48, 48), nn.GELU(), nn.Linear(48, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=6e-3, betas=(0.999, 0.9))  # <- fault
    for epoch in range(25):
        for b in torch.randperm(480).split(40):
            opt.zero_grad()
            F.mse_loss(net(x[b]).squeeze(1), y[b]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]).squeeze(1), y[480:]).item()}
