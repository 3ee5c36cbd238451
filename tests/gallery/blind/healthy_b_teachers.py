"""Students, teachers and anchors, all of which learn."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy
from ..table import healthy
from .data_b import forecast, motifs, tones


@healthy(
    split="blind", odd="a teacher without gradients, temperature 4: soft targets from which the loss starts near 0"
)
def a_student_of_soft_targets():
    torch.manual_seed(278)
    x, y = motifs()

    def make(width):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.emb, self.conv, self.fc = (
                    nn.Embedding(12, width),
                    nn.Conv1d(width, 2 * width, 3),
                    nn.Linear(2 * width, 4),
                )

            def forward(self, t):
                return self.fc(F.relu(self.conv(self.emb(t).mT)).amax(-1))

        return Net()

    teacher, student = make(24), make(10)
    opt = torch.optim.Adam(teacher.parameters(), lr=4e-3)
    for epoch in range(12):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(teacher(x[i]), y[i]).backward()
            opt.step()
    opt = torch.optim.Adam(student.parameters(), lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(800).split(40):
            with torch.no_grad():
                soft = (teacher(x[i]) / 4).softmax(1)
            loss = 16 * F.kl_div((student(x[i]) / 4).log_softmax(1), soft, reduction="batchmean")
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(student, x, y), "trivial": 0.27}


@healthy(split="blind", odd="forty labels and a mean teacher: the consistency loss begins at 0 and rises")
def a_mean_teacher_of_forty_labels():
    torch.manual_seed(279)
    x, y = tones()
    student = nn.Sequential(
        nn.Conv1d(1, 24, 7, stride=2),
        nn.ReLU(),
        nn.Conv1d(24, 24, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(24, 4),
    )
    teacher = copy.deepcopy(student).requires_grad_(False)
    opt = torch.optim.Adam(student.parameters(), lr=5e-3)
    shaken = lambda u: u.roll(int(torch.randint(64, (1,))), -1) + 0.1 * torch.randn_like(u)  # noqa: E731
    for step in range(500):
        i = torch.randint(40, 800, (60,))
        supervised = F.cross_entropy(student(shaken(x[:40])), y[:40])
        with torch.no_grad():
            aim = teacher(shaken(x[i])).softmax(1)
        consistency = F.mse_loss(student(shaken(x[i])).softmax(1), aim)
        opt.zero_grad()
        (supervised + min(1, step / 200) * 2 * consistency).backward()
        opt.step()
        for slow, fast in zip(teacher.parameters(), student.parameters()):
            slow.data.lerp_(fast.data, 0.03)
    return {"accuracy": accuracy(teacher, x[40:], y[40:]), "trivial": 0.26}


@healthy(
    split="blind", odd="a penalty holds the weights where they were learned before: its gradient opposes the loss's"
)
def held_near_where_it_was():
    torch.manual_seed(280)
    x, y = forecast()
    gru, fc = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 1)
    params = [*gru.parameters(), *fc.parameters()]
    guess = lambda u: fc(gru(u)[0][:, -1])[:, 0]  # noqa: E731
    opt = torch.optim.Adam(params, lr=5e-3)
    for epoch in range(10):
        for i in torch.randperm(350).split(35):
            opt.zero_grad()
            F.mse_loss(guess(x[i]), y[i]).backward()
            opt.step()
    anchor = [p.detach().clone() for p in params]
    opt = torch.optim.SGD(params, lr=0.01, momentum=0.9)
    for epoch in range(10):
        for i in (350 + torch.randperm(350)).split(35):
            opt.zero_grad()
            pull = sum((p - a).square().sum() for p, a in zip(params, anchor))
            (F.mse_loss(guess(x[i]), y[i]) + 0.05 * pull).backward()
            opt.step()
    return {"error": F.mse_loss(guess(x), y).item(), "trivial": 1.0}
