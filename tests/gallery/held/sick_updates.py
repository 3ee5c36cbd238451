"""Steps that are not taken, or not the ones that were meant, from refactorings that went wrong."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digit_images, digits, waves
from ..score import accuracy, hits
from ..table import sick
from .data import houses, prose, tags, waveforms


@sick(
    "UT303",
    split="held",
    note="optimizer.zero_grad without its parentheses",
    cured=(("optimizer.zero_grad  # noqa: B018", "optimizer.zero_grad()"),),
)
def zero_grad_without_parentheses():
    torch.manual_seed(0)
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(108, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    for epoch in range(15):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            optimizer.zero_grad  # noqa: B018
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"error": F.cross_entropy(model(x), y).item()}


@sick(
    "UT303",
    split="held",
    note="zero_grad once before the epochs, Adam on an LSTM",
    cured=(("            loss.backward()\n", "            optimizer.zero_grad()\n            loss.backward()\n"),),
)
def zeroed_once_before_the_epochs():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(1, 24, batch_first=True)
            self.linear = nn.Linear(24, 1)

        def forward(self, x):
            return self.linear(self.lstm(x)[0][:, -1])

    torch.manual_seed(1)
    x, y = waves()
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    optimizer.zero_grad()
    for epoch in range(60):
        for i in torch.randperm(256).split(32):
            loss = F.mse_loss(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
    return {"error": F.mse_loss(model(x), y).item()}


@sick(
    "UT303",
    split="held",
    note="of two optimizers, only the critic's is zeroed (in a GAN)",
    cured=(("        opt_d.zero_grad()\n        loss_g", "        opt_g.zero_grad()\n        loss_g"),),
)
def only_one_of_two_zeroed():
    torch.manual_seed(2)
    gen = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    disc = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    opt_g = torch.optim.SGD(gen.parameters(), lr=0.02)
    opt_d = torch.optim.SGD(disc.parameters(), lr=0.02)
    bce = nn.BCEWithLogitsLoss()
    centre = torch.tensor([2.0, -1.0])
    for step in range(2500):
        real = centre + 0.3 * torch.randn(64, 2)
        fake = gen(torch.randn(64, 4))
        opt_d.zero_grad()
        loss_d = bce(disc(real), torch.ones(64, 1)) + bce(disc(fake.detach()), torch.zeros(64, 1))
        loss_d.backward()
        opt_d.step()
        opt_d.zero_grad()
        loss_g = bce(disc(fake), torch.ones(64, 1))
        loss_g.backward()
        opt_g.step()
    with torch.no_grad():
        made = gen(torch.randn(2000, 4))
    return {"error": (made.mean(0) - centre).norm().item() + (made.std(0) - 0.3).abs().sum().item()}


@sick(
    "UT307",
    split="held",
    note="zero_grad has moved between backward and step",
    cured=(
        (
            "            loss.backward()\n            optimizer.zero_grad()\n",
            "            optimizer.zero_grad()\n            loss.backward()\n",
        ),
    ),
)
def zeroed_between_backward_and_step():
    torch.manual_seed(3)
    x, y = cancer()
    model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(100):
        for i in torch.randperm(len(x)).split(32):
            loss = F.binary_cross_entropy_with_logits(model(x[i]).squeeze(1), y[i].float())
            loss.backward()
            optimizer.zero_grad()
            optimizer.step()
    return {"accuracy": hits(model(x), y)}


@sick(
    "UT305",
    split="held",
    note="loss.backward() was lost when the loop was rewritten for mixed precision",
    cured=(
        (
            "            losses.append(loss.item())\n",
            "            loss.backward()\n            losses.append(loss.item())\n",
        ),
    ),
)
def backward_lost():
    torch.manual_seed(4)
    x, kind = waveforms()
    model = nn.Sequential(
        nn.Conv1d(1, 16, 9, stride=2), nn.ReLU(), nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(64, 3)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for epoch in range(60):
        for i in torch.randperm(900).split(30):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x[i]), kind[i])
            losses.append(loss.item())
            optimizer.step()
    return {"accuracy": accuracy(model, x, kind)}


@sick(
    "UT306",
    split="held",
    note="the scheduler steps, the optimizer does not",
    cured=(("            scheduler.step()\n", "            optimizer.step()\n            scheduler.step()\n"),),
)
def only_the_scheduler_steps():
    torch.manual_seed(5)
    x, y = diabetes()
    model = nn.Sequential(nn.Linear(10, 32), nn.GELU(), nn.Linear(32, 1))
    optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2000)
    for epoch in range(140):
        for i in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x[i]).squeeze(1), y[i])
            loss.backward()
            scheduler.step()
    return {"error": F.mse_loss(model(x).squeeze(1), y).item()}


@sick(
    "UT308",
    split="held",
    note="weights in bfloat16, steps of 1e-3 of a weight: most round to nothing",
    cured=(("torch.bfloat16", "torch.float32"),),
)
def weights_in_bfloat16():
    torch.manual_seed(6)
    x, y = digits()
    x = x.to(dtype=torch.bfloat16)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    net = net.to(torch.bfloat16)
    opt = torch.optim.SGD(net.parameters(), lr=2e-3)
    for epoch in range(80):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.cross_entropy(net(x).float(), y).item()}


@sick(
    "UT309",
    split="held",
    note="weight_decay=0.5, where a dropout of 0.5 was meant",
    cured=(("weight_decay=0.5", "weight_decay=0.0005"),),
)
def decay_of_a_half():
    torch.manual_seed(7)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.5)
    for epoch in range(40):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT309",
    split="held",
    note="Adam with an L2 penalty of 0.1, which AdamW would have taken as 1e-4 a step",
    cured=(("torch.optim.Adam(", "torch.optim.AdamW("),),
)
def penalty_meant_for_adamw():
    class LM(nn.Module):
        def __init__(self, n, dim=24):
            super().__init__()
            self.embed = nn.Embedding(n, dim)
            self.rnn = nn.LSTM(dim, 48, batch_first=True)
            self.out = nn.Linear(48, n)

        def forward(self, t):
            return self.out(self.rnn(self.embed(t))[0])

    torch.manual_seed(8)
    text, n = prose()
    model = LM(n)
    opt = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=0.1)
    for step in range(500):
        at = torch.randint(len(text) - 21, (24,))
        piece = text[at[:, None] + torch.arange(21)]
        loss = F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item()}


@sick(
    "UT310",
    split="held",
    note="clip_grad_value_ at 1e-5: a clip for another task",
    cured=(("1e-5", "1.0"),),
)
def clipped_to_nothing():
    torch.manual_seed(9)
    x, y = houses()
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for epoch in range(50):
        for i in torch.randperm(2000).split(50):
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(net.parameters(), 1e-5)
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT311",
    split="held",
    note="epsilon of 1, as some image recipes have it, with gradients of a thousandth",
    cured=(("eps=1.0", "eps=1e-8"),),
)
def epsilon_of_one():
    torch.manual_seed(10)
    x, y = tags()
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 12))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3, eps=1.0)
    for epoch in range(60):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.binary_cross_entropy_with_logits(net(x), y).item()}
