"""Losses that do not fit their outputs, in feed-forward and convolutional networks."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digits, standardized, wine
from ..score import accuracy, hits
from ..table import sick
from .data_a import beats, discs, flats, friedman


@sick(
    "UT401",
    split="wild",
    note="softmax as the last layer and CrossEntropyLoss",
    cured=((", nn.Softmax(dim=1)", ""),),
)
def mlp_of_probabilities():
    torch.manual_seed(40)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), nn.Softmax(dim=1))  # <- fault
    loss_fn = nn.CrossEntropyLoss()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.8)
    for epoch in range(8):
        for xb, yb in DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = loss_fn(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@sick(
    "UT401",
    split="wild",
    note="sigmoid in the network and binary_cross_entropy_with_logits, segmentation",
    cured=(("return torch.sigmoid(self.out(h))", "return self.out(h)"), ("> 0.5", "> 0")),
)
def little_unet_with_two_sigmoids():
    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Conv2d(1, 8, 3, padding=1)
            self.mid = nn.Conv2d(8, 16, 3, padding=1)
            self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
            self.out = nn.Conv2d(16, 1, 3, padding=1)

        def forward(self, x):
            a = F.relu(self.down(x))
            b = F.relu(self.mid(F.max_pool2d(a, 2)))
            h = torch.cat([a, self.up(b)], 1)
            return torch.sigmoid(self.out(h))  # <- fault

    torch.manual_seed(41)
    image, mask = discs()
    net = UNet()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(8):
        for i in torch.randperm(260).split(20):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(image[i]), mask[i]).backward()
            opt.step()
    with torch.no_grad():
        found, truth = net(image[260:]) > 0.5, mask[260:] > 0
    return {"accuracy": ((found & truth).sum() / (found | truth).sum()).item()}


@sick(
    "UT402",
    split="wild",
    note="NLLLoss on plain scores",
    cured=(("criterion(net(xb), yb)", "criterion(F.log_softmax(net(xb), 1), yb)"),),
)
def wine_by_nll_of_scores():
    torch.manual_seed(42)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 16), nn.Tanh(), nn.Linear(16, 3))
    criterion = nn.NLLLoss()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(30):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
            opt.zero_grad()
            loss = criterion(net(xb), yb)  # <- fault
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.cross_entropy(net(x), y).item(), "loss": loss.item()}


@sick(
    "UT402",
    split="wild",
    note="KLDivLoss on probabilities in place of their logarithms: distillation",
    cured=(("F.kl_div(F.softmax(student(x[b]), 1)", "F.kl_div(F.log_softmax(student(x[b]), 1)"),),
)
def student_of_a_wider_net():
    torch.manual_seed(43)
    x, y = digits()
    teacher = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))
    opt = torch.optim.Adam(teacher.parameters(), lr=5e-3)
    for _ in range(120):
        b = torch.randint(1300, (64,))
        opt.zero_grad()
        F.cross_entropy(teacher(x[b]), y[b]).backward()
        opt.step()
    with torch.no_grad():
        soft = F.softmax(teacher(x) / 2, 1)
    student = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    opt = torch.optim.Adam(student.parameters(), lr=5e-3)
    for _ in range(200):
        b = torch.randint(1300, (64,))
        opt.zero_grad()
        F.kl_div(F.softmax(student(x[b]), 1), soft[b], reduction="batchmean").backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.cross_entropy(student(x[1300:]), soft[1300:]).item(), "accuracy": accuracy(student, x, y)}


@sick(
    "UT403",
    split="wild",
    note="one output and CrossEntropyLoss",
    cured=(("nn.CrossEntropyLoss()", "nn.BCEWithLogitsLoss()"),),
)
def tumours_by_one_output():
    torch.manual_seed(44)
    x, y = cancer()
    y = y.float().view(-1, 1)
    net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 1))
    criterion = nn.CrossEntropyLoss()  # <- fault
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for b in torch.randperm(450).split(45):
            opt.zero_grad()
            criterion(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": hits(net(x[450:]), y[450:])}


@sick(
    "UT403",
    split="wild",
    note="softmax over the one channel of a mask: ones everywhere",
    cured=(("torch.softmax(self.last(x), dim=1)", "torch.sigmoid(self.last(x))"),),
)
def masks_of_one_channel():
    class FCN(nn.Module):
        def __init__(self, width=10):
            super().__init__()
            self.first = nn.Conv2d(1, width, 3, padding="same")
            self.second = nn.Conv2d(width, width, 3, padding="same", dilation=2)
            self.last = nn.Conv2d(width, 1, 1)

        def forward(self, x):
            x = F.elu(self.first(x))
            x = F.elu(self.second(x))
            return torch.softmax(self.last(x), dim=1)  # <- fault

    torch.manual_seed(45)
    image, mask = discs()
    net = FCN()
    opt = torch.optim.NAdam(net.parameters(), lr=3e-3)
    for step in range(120):
        i = torch.randint(260, (20,))
        loss = F.binary_cross_entropy(net(image[i]), mask[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"accuracy": ((net(image[260:]) > 0.5) == (mask[260:] > 0)).float().mean().item()}


@sick(
    "UT404",
    split="wild",
    note="Huber loss of (n, 1) against (n,)",
    cured=(("model(xb), yb)", "model(xb).squeeze(1), yb)"),),
)
def friedman_against_each_other():
    torch.manual_seed(46)
    x, y = friedman()
    model = nn.Sequential(nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    huber = nn.HuberLoss(delta=1.0)
    opt = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-3)
    loader = DataLoader(TensorDataset(x[:480], y[:480]), batch_size=32, shuffle=True)
    for epoch in range(20):
        for xb, yb in loader:
            loss = huber(model(xb), yb)  # <- fault
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(x[480:]).squeeze(1), y[480:]).item()}


@sick(
    "UT404",
    split="wild",
    note="a written pinball loss, predictions (n, 3), targets (n,) subtracted across: n x n for each quantile",
    cured=(("y - prediction[:, k : k + 1]", "y - prediction[:, k]"),),
)
def pinball_of_every_pair():
    def pinball(prediction, y, quantiles=(0.1, 0.5, 0.9)):
        total = 0.0
        for k, q in enumerate(quantiles):
            over = y - prediction[:, k : k + 1]
            total = total + torch.maximum(q * over, (q - 1) * over).mean()
        return total / len(quantiles)

    torch.manual_seed(47)
    x, rent = flats()
    x, y = standardized(x), standardized(rent).squeeze(1)
    net = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(300):
        b = torch.randint(480, (40,))
        opt.zero_grad()
        pinball(net(x[b]), y[b]).backward()
        opt.step()
    with torch.no_grad():
        return {"error": (net(x[480:])[:, 1] - y[480:]).abs().mean().item()}


@sick(
    "UT405",
    split="wild",
    note="tanh on the output, targets standardized",
    cured=(("torch.tanh(self.fc3(h))", "self.fc3(h)"),),
)
def rents_between_minus_one_and_one():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(6, 32)
            self.fc2 = nn.Linear(32, 32)
            self.fc3 = nn.Linear(32, 1)

        def forward(self, x):
            h = torch.tanh(self.fc1(x))
            h = torch.tanh(self.fc2(h))
            return torch.tanh(self.fc3(h))  # <- fault

    torch.manual_seed(48)
    x, rent = flats()
    x, y = standardized(x), standardized(rent)
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(25):
        for b in torch.randperm(480).split(32):
            opt.zero_grad()
            F.mse_loss(net(x[b]), y[b]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]), y[480:]).item()}


@sick(
    "UT407",
    split="wild",
    note="squared errors summed over batch and pixels, SGD at a rate for means",
    cured=(('nn.MSELoss(reduction="sum")', "nn.MSELoss()"),),
)
def traces_summed_over():
    torch.manual_seed(49)
    x, _ = beats()
    x = x.squeeze(1)
    encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    decoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64))
    criterion = nn.MSELoss(reduction="sum")  # <- fault
    params = [*encoder.parameters(), *decoder.parameters()]
    opt = torch.optim.SGD(params, lr=0.2, momentum=0.9)
    for epoch in range(40):
        for b in torch.randperm(400).split(40):
            opt.zero_grad()
            criterion(decoder(encoder(x[b])), x[b]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(decoder(encoder(x[400:])), x[400:]).item()}
