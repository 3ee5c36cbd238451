"""Questions that people asked, rebuilt: calls left out or in the wrong order, and odd settings of an optimizer."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digit_images, digits, moons, regression, waves, wine
from ..score import accuracy, hits
from ..table import sick


@sick(
    "UT305",
    split="wild",
    note="loss.backward without brackets",
    cured=(("loss.backward  #", "loss.backward()  #"),),
)
def backward_without_brackets():
    torch.manual_seed(32)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 24), nn.ELU(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss_fn = nn.CrossEntropyLoss()
    for t in range(100):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward  # noqa: B018  # <- fault
        optimizer.step()
    return {"accuracy": accuracy(model, x, y), "loss": loss.item()}


@sick(
    "UT306",
    split="wild",
    note="scheduler.step() where optimizer.step() was meant: no error, and no weight changes",
    cured=(("            scheduler.step()", "            optimizer.step(); scheduler.step()"),),
)
def schedule_steps_and_nothing_else():
    def fit(model, loader, epochs):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(loader))
        for _ in range(epochs):
            for image, label in loader:
                optimizer.zero_grad(set_to_none=True)
                loss = F.cross_entropy(model(image), label)
                loss.backward()
                scheduler.step()  # <- fault
        return loss.item()

    torch.manual_seed(33)
    images, labels = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    final = fit(net, DataLoader(TensorDataset(images, labels), batch_size=64, shuffle=True), 5)
    return {"accuracy": accuracy(net, images, labels), "loss": final}


@sick(
    "UT307",
    split="wild",
    note="backward, zero_grad, step, in that order",
    cured=(
        (
            "loss.backward()\n            optim.zero_grad()  # <- fault",
            "optim.zero_grad()\n            loss.backward()",
        ),
    ),
)
def zero_grad_in_between():
    class LSTMTagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(1, 20, batch_first=True)
            self.out = nn.Linear(20, 1)

        def forward(self, x):
            _, (h, _) = self.lstm(x)
            return self.out(h[-1])

    torch.manual_seed(34)
    x, y = waves(256, 20)
    net = LSTMTagger()
    optim = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(12):
        for i in torch.randperm(256).split(32):
            loss = F.mse_loss(net(x[i]), y[i])
            loss.backward()
            optim.zero_grad()  # <- fault
            optim.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x), y).item()}


@sick(
    "UT308",
    split="wild",
    note="fine-tuning wholly in bfloat16 at a small rate: the loss moves a little and stands",
    cured=((".to(torch.bfloat16)", ".float()"),),
)
def bfloat16_weights_that_stand():
    torch.manual_seed(35)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 10)).to(torch.bfloat16)  # <- fault
    x = (x - 0.3).to(model[0].weight.dtype)
    opt = torch.optim.Adam(model.parameters(), lr=1e-4, eps=1e-6)
    for epoch in range(14):
        for i in torch.randperm(len(x)).split(32):
            loss = F.cross_entropy(model(x[i]).float(), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y), "loss": loss.item()}


@sick(
    "UT309",
    split="wild",
    note="weight_decay=0.9 taken for the decay of the rate",
    cured=((", weight_decay=0.9", ""),),
)
def decay_taken_for_that_of_the_rate():
    torch.manual_seed(36)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Dropout(0.1), nn.Linear(40, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.9)  # <- fault
    for epoch in range(8):
        net.train()
        for xb, yb in DataLoader(TensorDataset(x, y), 64, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@sick(
    "UT309",
    split="wild",
    note="an L2 term written by hand, the squares of all weights summed, with a factor of 0.3",
    cured=(("l2_lambda = 0.3", "l2_lambda = 1e-5"),),
)
def penalty_by_hand():
    torch.manual_seed(37)
    x, y = diabetes()
    x, y = x, y.view(-1, 1)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    l2_lambda = 0.3  # <- fault
    for epoch in range(20):
        for b in torch.randperm(442).split(40):
            mse = F.mse_loss(model(x[b]), y[b])
            l2_norm = sum(p.pow(2.0).sum() for p in model.parameters())
            loss = mse + l2_lambda * l2_norm
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(x), y).item()}


@sick(
    "UT310",
    split="wild",
    note="clip_grad_value_ at 1e-4 copied from a large model, plain SGD",
    cured=(("clip_value=1e-4", "clip_value=1.0"),),
)
def values_clipped_at_a_ten_thousandth():
    torch.manual_seed(38)
    x, y = cancer()
    mlp = nn.Sequential(nn.Linear(30, 16), nn.Sigmoid(), nn.Linear(16, 1))
    opt = torch.optim.SGD(mlp.parameters(), lr=0.5)
    y = y.float()
    for epoch in range(15):
        for part in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(mlp(x[part]).squeeze(-1), y[part])
            loss.backward()
            nn.utils.clip_grad_value_(mlp.parameters(), clip_value=1e-4)  # <- fault
            opt.step()
    return {"accuracy": hits(mlp(x), y), "loss": loss.item()}


@sick(
    "UT311",
    split="wild",
    note="Adam with the epsilon of 1.0 that a guide for another network suggests",
    cured=((", eps=1.0", ""),),
)
def epsilon_from_another_guide():
    torch.manual_seed(39)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1.0)  # <- fault
    for epoch in range(8):
        for rows in torch.randperm(len(x)).split(64):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@sick(
    "UT312",
    split="wild",
    note="momentum=1.0, 'the more the better', and the loss swings ever further",
    cured=(("momentum=1.0", "momentum=0.9"),),
)
def momentum_of_one():
    torch.manual_seed(40)
    x, y = regression(400, 10)
    line = nn.Linear(10, 1)
    optimizer = torch.optim.SGD(line.parameters(), lr=0.01, momentum=1.0)  # <- fault
    for epoch in range(30):
        for b in torch.randperm(400).split(50):
            optimizer.zero_grad()
            loss = F.mse_loss(line(x[b]).squeeze(-1), y[b])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(line(x).squeeze(-1), y).item()}


@sick(
    "UT704",
    split="wild",
    note="ReduceLROnPlateau is fed the loss and told to look for a maximum: the rate is cut whenever things get better",
    cured=(('mode="max"', 'mode="min"'),),
)
def plateau_scheduler_upside_down():
    torch.manual_seed(41)
    x, y = moons(500, 0.1)
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    scheduler = ReduceLROnPlateau(optimizer, mode="max", factor=0.2, patience=2)  # <- fault
    for epoch in range(30):
        total = 0.0
        for b in torch.randperm(400).split(50):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[b]), y[b])
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step(total)
    with torch.no_grad():
        return {"error": F.cross_entropy(net(x), y).item()}
