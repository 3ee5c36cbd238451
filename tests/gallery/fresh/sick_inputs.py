"""Inputs in the units they were measured in, inputs that never change, orders and shares of classes."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..held.data import waveforms
from ..score import accuracy
from ..table import sick
from .data import bikes, dialects, faults, recall, sensors


@sick(
    "UT501",
    split="fresh",
    note="hour, day of the year and humidity as recorded, into a tanh network",
    cured=(("x = raw", "x = (raw - raw.mean(0)) / raw.std(0)"),),
)
def bikes_as_recorded():
    torch.manual_seed(0)
    raw, hired = bikes()
    x = raw
    y = (hired - hired.mean()) / hired.std()
    net = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True):
            opt.zero_grad()
            loss = F.mse_loss(net(xb).squeeze(1), yb)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT501",
    split="fresh",
    note="sound as 16-bit integers turned to float and no further",
    cured=(("(wave * 8000).round()", "(wave * 8000).round() / 32768 * 4"),),
)
def sound_in_sixteen_bits():
    torch.manual_seed(1)
    wave, kind = waveforms()
    sound = (wave * 8000).round()
    net = nn.Sequential(
        nn.Conv1d(1, 16, 7, stride=2), nn.ReLU(), nn.Conv1d(16, 16, 5, stride=2), nn.ReLU(), nn.Flatten()
    )
    net = nn.Sequential(net, nn.Linear(16 * 13, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(sound[i]), kind[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, sound, kind)}


@sick(
    "UT501",
    split="fresh",
    note="a physics-informed network over seconds from 0 to 10000",
    cured=(("unit = 1.0", "unit = 10000.0"),),
)
def cooling_over_ten_thousand_seconds():
    torch.manual_seed(2)
    unit = 1.0
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(800):
        t = (10000 * torch.rand(64, 1)).requires_grad_()
        u = net(t / unit)
        du = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        loss = (3000 * du + u).pow(2).mean() + (net(torch.zeros(1, 1)) - 1).pow(2).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    t = torch.linspace(0, 10000, 100)[:, None]
    return {"error": F.mse_loss(net(t / unit), torch.exp(-t / 3000)).item()}


@sick(
    "UT501",
    split="fresh",
    note="places on a screen of 600 by 400 pixels as the state of a policy that is cloned",
    cured=(("seen = state", "seen = state / 300 - 1"),),
)
def places_in_pixels():
    torch.manual_seed(3)
    state = torch.rand(1000, 4) * torch.tensor([600.0, 400.0, 600.0, 400.0])
    away = state[:, :2] - state[:, 2:]
    action = torch.where(away[:, 0].abs() > away[:, 1].abs(), (away[:, 0] > 0).long(), 2 + (away[:, 1] > 0).long())
    seen = state
    policy = nn.Sequential(nn.Linear(4, 32), nn.Sigmoid(), nn.Linear(32, 32), nn.Sigmoid(), nn.Linear(32, 4))
    opt = torch.optim.SGD(policy.parameters(), lr=0.5)
    for epoch in range(40):
        for i in torch.randperm(1000).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(policy(seen[i]), action[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(policy, seen, action)}


@sick(
    "UT502",
    split="fresh",
    note="pixels between 0 and 1 cast to integers: almost all become 0",
    cured=(("(0.99 * x).long().float()", "(0.99 * x)"),),
)
def pixels_cast_to_zero():
    torch.manual_seed(4)
    x, y = digit_images()
    x = (0.99 * x).long().float()
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(144, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(8):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT502",
    split="fresh",
    note="a vocabulary with keys of another type: every word is the unknown one",
    cured=(("vocabulary.get(word, 1)", "vocabulary.get(int(word), 1)"),),
)
def every_word_unknown():
    torch.manual_seed(5)
    tokens, _, kind = dialects()
    vocabulary = {number: number + 1 for number in range(13)}
    words = [" ".join(map(str, row)) for row in tokens.tolist()]
    coded = torch.tensor([[vocabulary.get(word, 1) for word in row.split()] for row in words])
    net = nn.Sequential(nn.Embedding(14, 16), nn.Flatten(), nn.Linear(16 * 18, 64), nn.ReLU(), nn.Linear(64, 3))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(10):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(coded[i]), kind[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, coded, kind)}


@sick(
    "UT505",
    split="fresh",
    note="four parts in a hundred are bad, and nothing weighs them",
    cured=(("weight=None", "weight=torch.tensor([0.04, 0.96])"),),
)
def bad_parts_are_rare():
    torch.manual_seed(6)
    x, bad = faults()
    net = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss(weight=None)
    for epoch in range(6):
        for i in torch.randperm(1200).split(32):
            opt.zero_grad()
            loss = criterion(net(x[i]), bad[i])
            loss.backward()
            opt.step()
    return {"accuracy": recall(net(x), bad)}


@sick(
    "UT505",
    split="fresh",
    note="nine digits in ten are a 0, as a folder of images happened to hold them",
    cured=(("shares[0] = 100.0", "shares[0] = 1.0"),),
)
def nearly_all_are_nought():
    torch.manual_seed(7)
    x, y = digits()
    shares = torch.ones(10)
    shares[0] = 100.0
    drawn = torch.multinomial(shares[y], 1200, replacement=True)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(8):
        for i in drawn[torch.randperm(1200)].split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": recall(net(x), y)}


@sick(
    "UT506",
    split="fresh",
    note="the seed is set inside the loop, for reproducibility: every step draws the same rows",
    cured=(("        torch.manual_seed(8)\n", ""),),
)
def seeded_in_the_loop():
    torch.manual_seed(7)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(400):
        torch.manual_seed(8)
        i = torch.randint(len(x), (32,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT506",
    split="fresh",
    note="a slice that forgets where it starts: x[:size] for x[i : i + size]",
    cured=(("x[:size], kind[:size]", "x[i : i + size], kind[i : i + size]"),),
)
def slice_without_a_start():
    torch.manual_seed(9)
    x, kind = sensors()
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 64), nn.ReLU(), nn.Linear(64, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    size = 30
    for epoch in range(15):
        for i in range(0, 600, size):
            xb, yb = x[:size], kind[:size]
            loss = F.cross_entropy(net(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, kind)}
