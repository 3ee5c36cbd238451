"""Units that do nothing or all the same, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy
from ..table import sick
from .data import waveforms


@sick(
    "UT201",
    module=("net", "net.0", "net.1", "net.2", "net.3"),
    split="held",
    note="biases start at -4, meant for the last layer of a rare class and given to all",
    cured=(("nn.init.constant_(layer.bias, -4.0)", "nn.init.constant_(layer.bias, 0.0)"),),
)
def bias_of_minus_four_everywhere():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 10))
            for layer in self.net:
                if isinstance(layer, nn.Linear):
                    nn.init.xavier_uniform_(layer.weight)
                    nn.init.constant_(layer.bias, -4.0)

        def forward(self, x):
            return self.net(x)

    torch.manual_seed(0)
    x, y = digits()
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(60):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT201",
    module=("conv1", "conv2", ""),
    split="held",
    note="convolutions initialised with uniform_(-0.5, 0) by a slip of the arguments; images are positive",
    cured=(("nn.init.uniform_(conv.weight, -0.5, 0)", "nn.init.uniform_(conv.weight, -0.5, 0.5)"),),
)
def uniform_from_minus_a_half_to_zero():
    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3)
            for conv in (self.conv1, self.conv2):
                nn.init.uniform_(conv.weight, -0.5, 0)
            self.fc = nn.Linear(256, 10)

        def forward(self, x):
            x = F.relu(self.conv1(x))
            return self.fc(F.relu(self.conv2(x)).flatten(1))

    torch.manual_seed(1)
    x, y = digit_images()
    model = LeNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(32):
            loss = F.cross_entropy(model(x[i]), y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT201",
    module=("q", "q.4", "q.5", ""),
    split="held",
    note="a ReLU on the action values, whose true values are all negative (each step costs 1)",
    cured=(("nn.Linear(32, 2), nn.ReLU())", "nn.Linear(32, 2))"),),
)
def relu_on_action_values():
    torch.manual_seed(2)
    q = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2), nn.ReLU())
    optimizer = torch.optim.Adam(q.parameters(), lr=1e-3)
    cell = torch.eye(8)
    for step in range(3000):
        s = torch.randint(7, (32,))
        a = torch.randint(2, (32,))
        after = (s + 2 * a - 1).clamp(0, 7)
        with torch.no_grad():
            target = -1 + 0.9 * q(cell[after]).max(1).values * (after < 7)
        loss = F.smooth_l1_loss(q(cell[s]).gather(1, a[:, None]).squeeze(1), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"accuracy": (q(cell[:7]).argmax(1) == 1).float().mean().item() - 0.001}


@sick(
    "UT202",
    module=tuple(f"layers.{i}" for i in range(6)),
    split="held",
    note="five tanh layers of 60 with weights from a standard normal",
    cured=(("nn.init.normal_(layer.weight)", "nn.init.xavier_normal_(layer.weight)"),),
)
def tanh_with_standard_normal_weights():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(64 if i == 0 else 60, 60) for i in range(5)])
            for layer in self.layers:
                nn.init.normal_(layer.weight)
            self.out = nn.Linear(60, 10)

        def forward(self, x):
            for layer in self.layers:
                x = torch.tanh(layer(x))
            return self.out(x)

    torch.manual_seed(3)
    x, y = digits()
    order = torch.randperm(len(x))
    train, test = order[:1400], order[1400:]
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.01)
    for epoch in range(60):
        for i in train[torch.randperm(1400)].split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[test], y[test])}


@sick(
    "UT202",
    module=("gates.0", "gates.1", "gates.2", "gates.3", ""),
    split="held",
    note="highway network whose carry gates start at 25, for a paper that said -2",
    cured=(("nn.init.constant_(gate.bias, -25.0)", "nn.init.constant_(gate.bias, -2.0)"),),
)
def highway_with_closed_gates():
    class Highway(nn.Module):
        def __init__(self, dim=32, depth=4):
            super().__init__()
            self.enter = nn.Conv1d(1, dim, 1)
            self.paths = nn.ModuleList(nn.Conv1d(dim, dim, 5, padding=2) for _ in range(depth))
            self.gates = nn.ModuleList(nn.Conv1d(dim, dim, 1) for _ in range(depth))
            for gate in self.gates:
                nn.init.constant_(gate.bias, -25.0)
            self.out = nn.Linear(dim, 3)

        def forward(self, x):
            x = self.enter(x)
            for path, gate in zip(self.paths, self.gates):
                g = torch.sigmoid(gate(x))
                x = g * F.relu(path(x)) + (1 - g) * x
            return self.out(x.mean(-1))

    torch.manual_seed(4)
    x, kind = waveforms()
    net = Highway()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), kind[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, kind)}


@sick(
    "UT203",
    module=("fc1", "fc2", ""),
    split="held",
    note="every weight starts at the same constant",
    cured=(("nn.init.constant_(m.weight, 0.1)", "nn.init.xavier_uniform_(m.weight)"),),
)
def constant_weights():
    class MLP(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10)
            for m in (self.fc1, self.fc2, self.fc3):
                nn.init.constant_(m.weight, 0.1)
                nn.init.zeros_(m.bias)

        def forward(self, x):
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))

    torch.manual_seed(5)
    x, y = digits()
    model = MLP()
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT203",
    module=("conv", "mix", ""),
    split="held",
    note="one pretrained filter copied to all channels, and the next layer starts at zero",
    cured=(
        ("self.conv.weight[:1].expand_as(self.conv.weight).clone()", "self.conv.weight.clone()"),
        ("nn.init.zeros_(self.mix.weight)", "nn.init.xavier_uniform_(self.mix.weight)"),
    ),
)
def one_filter_for_all_channels():
    class Tones(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 16, 9)
            with torch.no_grad():
                self.conv.weight.copy_(self.conv.weight[:1].expand_as(self.conv.weight).clone())
                self.conv.bias.zero_()
            self.mix = nn.Linear(16, 24)
            nn.init.zeros_(self.mix.weight)
            nn.init.zeros_(self.mix.bias)
            self.out = nn.Linear(24, 3)
            nn.init.constant_(self.out.weight, 0.1)

        def forward(self, x):
            return self.out(torch.tanh(self.mix(F.relu(self.conv(x)).amax(-1))))

    torch.manual_seed(6)
    x, kind = waveforms()
    net = Tones()
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(30):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), kind[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, kind)}


@sick(
    "UT205",
    split="held",
    note="two views are pulled together and nothing pushes anything apart",
    cured=(
        (
            "loss = (1 - F.cosine_similarity(a, b)).mean()",
            "loss = F.cross_entropy(F.normalize(a) @ F.normalize(b).T / 0.2, torch.arange(len(a)))",
        ),
    ),
)
def views_only_pulled_together():
    torch.manual_seed(7)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 32))
    opt = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    for epoch in range(60):
        for i in torch.randperm(len(x)).split(128):
            a = encoder(x[i] * (torch.rand(len(i), 64) > 0.2))
            b = encoder(x[i] * (torch.rand(len(i), 64) > 0.2))
            loss = (1 - F.cosine_similarity(a, b)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        z = F.normalize(encoder.eval()(x))
    near = (z @ z.T - 2 * torch.eye(len(z))).argmax(1)
    spread = 1 - (z @ z.T).mean()
    return {"accuracy": (y[near] == y).float().mean().item() if spread > 0.05 else 0.1, "spread": spread.item()}
