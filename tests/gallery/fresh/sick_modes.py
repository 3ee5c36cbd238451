"""Modes, normalisation over too few, dropout, momenta, epsilons, infinities, and what was learned undone."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digit_images, digits
from ..score import accuracy, matches
from ..table import sick
from .data import bars, hires, program, sensors


@sick(
    "UT311",
    split="fresh",
    note="Adam with an epsilon of 1, as a recipe for Inception had it",
    cured=((", eps=1.0", ""),),
)
def epsilon_of_the_inception_recipe():
    torch.manual_seed(0)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1.0)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT312",
    split="fresh",
    note="momentum 0.999 in a run of a few hundred steps",
    cured=(("momentum=0.999", "momentum=0.9"),),
)
def momentum_of_a_thousand_steps():
    torch.manual_seed(1)
    x, y = bars()
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.999)
    for epoch in range(10):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.cross_entropy(net(x), y).item()}


@sick(
    "UT312",
    split="fresh",
    note="betas of Adam written as (0.999, 0.9)",
    cured=(("(0.999, 0.9)", "(0.9, 0.999)"),),
)
def betas_the_other_way_round_for_text():
    torch.manual_seed(2)
    text, n = program()
    embed, gru, out = nn.Embedding(n, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, n)
    opt = torch.optim.Adam([*embed.parameters(), *gru.parameters(), *out.parameters()], 5e-3, (0.999, 0.9))
    for step in range(400):
        at = torch.randint(len(text) - 25, (16,))
        piece = text[at[:, None] + torch.arange(25)]
        loss = F.cross_entropy(out(gru(embed(piece[:, :-1]))[0]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item()}


@sick(
    "UT601",
    split="fresh",
    note="eval() for a first look at the accuracy, and never train() again; raw pixels behind batch normalisation",
    cured=(("    accuracy(net, x, y)\n    opt", "    opt"),),
)
def never_back_from_eval():
    torch.manual_seed(3)
    x, y = digit_images()
    x = x * 255
    layers = [nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 10))
    accuracy(net, x, y)
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(5):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT602",
    split="fresh",
    note="batch normalisation with two rows in a batch",
    cured=(("split(2)", "split(32)"),),
)
def norm_of_two_rows():
    torch.manual_seed(4)
    x, y = sensors()
    x = x.flatten(1)
    layers = [nn.Linear(144, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 48), nn.BatchNorm1d(48), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Linear(48, 3))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(5):
        for i in torch.randperm(600).split(2):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT602",
    split="fresh",
    note="instance normalisation of maps that have shrunk to 2 by 1",
    cured=(("nn.InstanceNorm2d(16, affine=True)", "nn.GroupNorm(2, 16)"),),
)
def instances_of_two_numbers():
    torch.manual_seed(5)
    x, y = digit_images()
    body = [
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, (3, 4)),
        nn.InstanceNorm2d(16, affine=True),
    ]
    net = nn.Sequential(*body, nn.ReLU(), nn.Flatten(), nn.Linear(32, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT603",
    split="fresh",
    note="dropout of 0.9 behind every layer of a regression",
    cured=(("p = 0.9", "p = 0.05"),),
)
def nine_in_ten_dropped_everywhere():
    torch.manual_seed(6)
    x, y = hires()
    p = 0.9
    layers = [nn.Linear(6, 64), nn.ReLU(), nn.Dropout(p), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(p)]
    net = nn.Sequential(*layers, nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    net.eval()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT604",
    split="fresh",
    note="sixteen micro-batches summed, under SGD with momentum",
    cured=(("loss.backward()", "(loss / 16).backward()"),),
)
def sixteen_micro_batches_summed():
    torch.manual_seed(7)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for step in range(1, 1201):
        i = torch.randint(len(x), (8,))
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        if step % 16 == 0:
            opt.step()
            opt.zero_grad()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT801",
    split="fresh",
    note="a masked mean by hand over a batch in which nothing counts",
    cured=(("counts[i].sum()", "counts[i].sum().clamp(min=1)"),),
)
def nothing_to_learn_from_in_one_batch():
    torch.manual_seed(8)
    x, y = sensors()
    counts = torch.ones(600)
    counts[300:330] = 0
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(10):
        for i in torch.arange(600).split(30):
            opt.zero_grad()
            each = F.cross_entropy(net(x[i]), y[i], reduction="none")
            loss = (each * counts[i]).sum() / counts[i].sum()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT801",
    split="fresh",
    note="the angle between two directions by arccos, whose slope at 1 is infinite",
    cured=((".sum(1))", ".sum(1).clamp(-0.999, 0.999))"),),
)
def angle_by_arccos():
    torch.manual_seed(9)
    x = torch.randn(400, 2)
    target = F.normalize(x.flip(1))
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(60):
        for i in torch.randperm(400).split(40):
            opt.zero_grad()
            angle = torch.arccos((F.normalize(net(x[i])) * target[i]).sum(1))
            loss = angle.mean()
            loss.backward()
            opt.step()
    return {"error": (1 - F.cosine_similarity(net(x), target)).mean().item()}


def learn(net, x, y, opt, steps):
    for _ in range(steps):
        i = torch.randint(len(x), (16,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()


@sick(
    "UT901",
    split="fresh",
    note="a pretrained network fine-tuned on forty images with Adam at 0.05",
    cured=(("lr=0.05", "lr=0.001"),),
)
def fine_tuned_at_a_twentieth():
    torch.manual_seed(10)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    learn(net, x[:1200], y[:1200], torch.optim.Adam(net.parameters(), lr=2e-3), 600)
    darker = 0.6 * x[1200:] + 0.2
    learn(net, darker[:40], y[1200:1240], torch.optim.Adam(net.parameters(), lr=0.05), 100)
    return {"accuracy": matches(net(darker[40:]), y[1240:])}
