"""Faults that a refactoring leaves behind: graphs cut in passing, optimizers of old weights, wrong objects called."""

import copy
import logging

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import sick
from .data_b import cue, forecast, motifs, patches, tagged, tones, windows


@sick(
    "UT304",
    split="blind",
    note="the model is copied after the optimizer was made, and the copy is what is trained",
    cured=(("net = copy.deepcopy(template)", "net = template"),),
)
def a_copy_of_the_template():
    class GRUClassifier(nn.Module):
        def __init__(self, inputs, hidden, classes):
            super().__init__()
            self.gru, self.out = nn.GRU(inputs, hidden, batch_first=True), nn.Linear(hidden, classes)

        def forward(self, x):
            return self.out(self.gru(x)[1][0])

    torch.manual_seed(134)
    x, y = cue(length=6)
    template = GRUClassifier(6, 24, 4)
    optimizer = torch.optim.AdamW(template.parameters(), lr=5e-3)
    net = copy.deepcopy(template)
    for epoch in range(15):
        for i in torch.randperm(600).split(30):
            net.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT304",
    split="blind",
    note="a generator of parameters is used up by counting them, and its group in the optimizer is empty",
    cured=(("body = (p", "body = list(p"),),
)
def parameters_are_counted_first():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.conv, self.head = nn.Embedding(12, 8), nn.Conv1d(8, 12, 3), nn.Linear(12, 4)

        def forward(self, t):
            return self.head(F.relu(self.conv(self.emb(t).mT)).amax(-1))

    torch.manual_seed(135)
    x, y = motifs()
    net = Net()
    body = (p for name, p in net.named_parameters() if not name.startswith("head"))
    logging.getLogger("gallery").debug("body: %d weights", sum(p.numel() for p in body))
    groups = [{"params": body, "lr": 5e-3}, {"params": net.head.parameters(), "lr": 1e-2}]
    opt = torch.optim.Adam(groups)
    for epoch in range(15):
        for i in torch.randperm(800).split(40):
            net.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT303",
    split="blind",
    note="in a distillation the teacher's gradients are cleared, who has none, and the student's add up",
    cured=(("teacher.zero_grad()", "student.zero_grad()"),),
)
def a_student_with_its_teacher():
    torch.manual_seed(136)
    x, y = tones()

    def make(width):
        return nn.Sequential(
            nn.Conv1d(1, width, 7, stride=2),
            nn.ReLU(),
            nn.Conv1d(width, width, 5),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(width, 4),
        )

    teacher, student = make(24), make(12)
    opt = torch.optim.Adam(teacher.parameters(), lr=5e-3)
    for epoch in range(12):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(teacher(x[i]), y[i]).backward()
            opt.step()
    opt = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(20):
        for i in torch.randperm(800).split(40):
            with torch.no_grad():
                soft = (teacher(x[i]) / 2).softmax(1)
            out = student(x[i])
            hard = F.cross_entropy(out, y[i])
            loss = 0.5 * hard + 2 * F.kl_div((out / 2).log_softmax(1), soft, reduction="batchmean")
            teacher.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(student, x, y)}


@sick(
    "UT306",
    split="blind",
    note="scheduler.step() where optimizer.step() belongs",
    cured=(("scheduler.step()", "optimizer.step(); scheduler.step()"),),
)
def tags_with_a_schedule():
    torch.manual_seed(137)
    x, y, _ = tagged()
    layers = nn.ModuleList([nn.Embedding(21, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 4)])
    optimizer = torch.optim.AdamW(layers.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=300)

    def model(t):
        emb, gru, fc = layers
        return fc(gru(emb(t))[0])

    for epoch in range(15):
        for i in torch.randperm(500).split(25):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[i]).transpose(1, 2), y[i])
            loss.backward()
            scheduler.step()
    return {"accuracy": matches(model(x)[y >= 0], y[y >= 0])}


@sick(
    "UT102",
    split="blind",
    note="twenty residual blocks without a norm, their weights normal of deviation 0.35: each doubles what comes back",
    cured=(("std=0.35", "std=0.05"),),
)
def twenty_blocks_that_mix_patches():
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.over_patches, self.over_width = nn.Linear(16, 16), nn.Linear(12, 12)
            for layer in (self.over_patches, self.over_width):
                nn.init.normal_(layer.weight, std=0.35)

        def forward(self, x):
            x = x + torch.relu(self.over_patches(x.mT)).mT
            return x + torch.relu(self.over_width(x))

    torch.manual_seed(139)
    x, y = patches()
    net = nn.Sequential(nn.Linear(4, 12), *[Mixer() for _ in range(20)], nn.Flatten(), nn.Linear(192, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(3):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT301",
    split="blind",
    note="Adam at 0.08 for a GRU of characters: it learns something, and jumps about",
    cured=(("lr=0.08", "lr=0.008"),),
)
def characters_in_a_hurry():
    torch.manual_seed(141)
    data, symbols = windows(25)
    emb, gru, fc = nn.Embedding(symbols, 32), nn.GRU(32, 64, batch_first=True), nn.Linear(64, symbols)
    opt = torch.optim.Adam([*emb.parameters(), *gru.parameters(), *fc.parameters()], lr=0.08)
    for epoch in range(10):
        for i in torch.randperm(len(data)).split(20):
            opt.zero_grad()
            logits = fc(gru(emb(data[i, :-1]))[0])
            F.cross_entropy(logits.flatten(0, 1), data[i, 1:].flatten()).backward()
            opt.step()
    return {"accuracy": matches(fc(gru(emb(data[:, :-1]))[0]), data[:, 1:])}


@sick(
    "UT202",
    split="blind",
    note="gate and candidate are made 'decisive' by a factor of 60 inside of sigmoid and tanh",
    cured=(("60 * self.gate(pair)", "self.gate(pair)"), ("60 * self.lift(u)", "self.lift(u)")),
)
def a_decisive_gate():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.gate, self.fc = nn.Linear(3, 24), nn.Linear(27, 24), nn.Linear(24, 1)

        def forward(self, x):
            h = x.new_zeros(len(x), 24)
            for u in x.unbind(1):
                pair = torch.cat([u, h], 1)
                g = torch.sigmoid(60 * self.gate(pair))
                h = g * h + (1 - g) * torch.tanh(60 * self.lift(u))
            return self.fc(h)[:, 0]

    torch.manual_seed(144)
    x, y = forecast()
    net = Gated()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(10):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item()}
