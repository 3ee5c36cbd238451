"""Units, losses and data that keep a network from learning what it could."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import adding, cancer, digit_images, digits, digits_255, moons, wine
from ..score import accuracy, hits
from ..table import sick


@sick(
    "UT201",
    split="late",
    module="1",
    note="biases of hidden layers start at -3: no unit ever fires",
    cured=(("layer.bias, -3.0", "layer.bias, 0.0"),),
)
def biases_far_below_zero():
    torch.manual_seed(100)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    for layer in net:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.constant_(layer.bias, -3.0)  # <- fault
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(8):
        for i in torch.randperm(1500).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}


@sick(
    "UT202",
    split="late",
    note="weights of standard normals under a tanh with 64 inputs",
    cured=(("gain = 1.0", "gain = 1.0 / 8"),),
)
def tanh_under_unit_normals():
    class TanhNet(nn.Module):
        def __init__(self, sizes):
            super().__init__()
            gain = 1.0
            self.weights = nn.ParameterList(gain * torch.randn(a, b) for a, b in zip(sizes, sizes[1:]))
            self.biases = nn.ParameterList(torch.zeros(b) for b in sizes[1:])
            self.activations = nn.ModuleList(nn.Tanh() for _ in sizes[2:])

        def forward(self, x):
            for w, b, act in zip(self.weights, self.biases, self.activations):
                x = act(x @ w + b)
            return x @ self.weights[-1] + self.biases[-1]

    torch.manual_seed(101)
    x, y = digits()
    x = (x - x.mean()) / x.std()
    net = TanhNet([64, 64, 64, 64, 10])
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(8):
        for i in torch.randperm(1500).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}


@sick(
    "UT504",
    split="late",
    note="the threshold belongs to the unscaled column, so every label is 0",
    cured=(("(strength > 40.0)", "(strength > 0.0)"),),
)
def threshold_of_another_scale():
    torch.manual_seed(102)
    mix = torch.rand(700, 8)
    megapascal = 20 + 40 * mix[:, 0] - 15 * mix[:, 1] + 10 * mix[:, 2] * mix[:, 3] + torch.randn(700)
    strength = (megapascal - megapascal.mean()) / megapascal.std()
    strong = (strength > 40.0).float()
    truth = megapascal > megapascal.mean()
    x = (mix - 0.5) * 3.4
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, strong), batch_size=50, shuffle=True):
            loss = F.binary_cross_entropy_with_logits(net(xb).flatten(), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), truth), "loss": loss.item()}


@sick(
    "UT701",
    split="late",
    note="images shuffled without their labels",
    cured=(("images = images[torch.randperm(len(images))]", "order = torch.randperm(len(images)); "
            "images, labels = images[order], labels[order]"),),
)  # fmt: skip
def images_shuffled_alone():
    torch.manual_seed(103)
    images, labels = digit_images()
    images = images[torch.randperm(len(images))]
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(64, 10),
    )  # fmt: skip
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(6):
        for i in torch.randperm(1500).split(50):
            loss = F.cross_entropy(net(images[i]), labels[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, images[1500:], labels[1500:]), "loss": loss.item()}


@sick(
    "UT704",
    split="late",
    note="layers stacked without an activation: a straight line through two moons",
    cured=(("32),", "32), nn.ReLU(),"),),
)
def moons_without_activation():
    torch.manual_seed(104)
    x, y = moons(800, 0.1)
    net = nn.Sequential(
        nn.Linear(2, 32),
        nn.Linear(32, 32),
        nn.Linear(32, 2),
    )
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for step in range(400):
        i = torch.randint(800, (64,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT705",
    split="late",
    note="500 steps of a wide net on 60 rows with many idle columns and no regularisation, while validation climbs",
    cured=(("rows, decay = 60, 0.0", "rows, decay = 900, 1e-2"),),
)
def wide_net_on_sixty_rows():
    torch.manual_seed(105)
    rows, decay = 60, 0.0
    x = torch.randn(1400, 40)
    y = ((x[:, 0] + x[:, 1] - x[:, 2] + 0.7 * torch.randn(1400)) > 0).long()
    train_x, train_y, val_x, val_y = x[:rows], y[:rows], x[1000:], y[1000:]
    net = nn.Sequential(nn.Linear(40, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2))
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=decay)
    history = []
    for epoch in range(50):
        net.train()
        for _ in range(6):
            i = torch.randint(rows, (30,))
            loss = F.cross_entropy(net(train_x[i]), train_y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            history.append(F.cross_entropy(net(val_x), val_y).item())
    return {"accuracy": accuracy(net, val_x, val_y), "validation": history[-1], "loss": loss.item()}


@sick(
    "UT501",
    split="late",
    note="pixels of 0 to 255 into a tanh network",
    cured=(("data.float()", "data.float() / 255"),),
)
def bytes_into_tanh():
    torch.manual_seed(106)
    data, labels = digits_255()
    x = data.float()
    net = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 24), nn.Tanh(), nn.Linear(24, 10))
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(64):
            sgd.zero_grad()
            F.cross_entropy(net(x[i]), labels[i]).backward()
            sgd.step()
    return {"accuracy": accuracy(net, x, labels)}


@sick(
    "UT302",
    split="late",
    note="the scheduler of epochs is stepped with each batch, so the rate is gone in the first epoch",
    cured=(("    opt.step()\n            scheduler.step()", "    opt.step()\n        scheduler.step()"),),
)
def step_lr_stepped_per_batch():
    torch.manual_seed(107)
    x, y = adding(512, 8)
    x = x.flatten(1)
    net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.5)
    for epoch in range(20):
        for i in torch.randperm(512).split(32):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]), y[i])
            loss.backward()
            opt.step()
            scheduler.step()  # <- fault
    with torch.no_grad():
        return {"error": F.mse_loss(net(x), y).item()}


@sick(
    "UT309",
    split="late",
    note="L2 of 0.3 inside of SGD",
    cured=(("weight_decay=0.3", "weight_decay=3e-4"),),
)
def wine_with_strong_l2():
    torch.manual_seed(108)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.3)
    for epoch in range(25):
        for i in torch.randperm(178).split(30):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT402",
    split="late",
    note="logits straight into a hand-written cross-entropy that clamps to probabilities",
    cured=(("p = self.score(x)", "p = self.score(x).sigmoid()"),),
)
def clamped_scores_as_probabilities():
    class Screening(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))

        def forward(self, x):
            p = self.score(x)
            return p.clamp(1e-6, 1 - 1e-6)

    torch.manual_seed(111)
    x, y = cancer()
    y = y.float()
    net = Screening()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(10):
        for i in torch.randperm(569).split(64):
            p = net(x[i])
            loss = -(y[i] * p.log() + (1 - y[i]) * (1 - p).log()).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), y, 0.5)}
