"""Fine-tuning and distillation that do not work."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digit_images, digits
from ..score import accuracy
from ..table import sick
from .data_b import strings, votes


def pretrained_digits(classes=5, epochs=8):
    """Teach a net the first digits, as what is to be fine-tuned on the others."""
    x, y = digits()
    body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
    net = nn.Sequential(body, nn.Linear(32, classes))
    mine = torch.nonzero(y < classes).flatten()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(epochs):
        for i in mine[torch.randperm(len(mine))].split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return net, x[y >= classes], y[y >= classes] - classes


@sick(
    "UT304",
    split="wild",
    module="1",
    note="the optimizer is made before the head is replaced, and goes on holding the old one",
    cured=(
        ("    opt = torch.optim.Adam(net[1].parameters(), lr=5e-3)  # <- fault\n", ""),
        (
            "net[1] = nn.Linear(32, 5)",
            "net[1] = nn.Linear(32, 5)\n    opt = torch.optim.Adam(net[1].parameters(), lr=5e-3)",
        ),
    ),
)
def new_head_old_optimizer():
    torch.manual_seed(51)
    net, x, y = pretrained_digits()
    net[0].requires_grad_(False)
    opt = torch.optim.Adam(net[1].parameters(), lr=5e-3)  # <- fault
    net[1] = nn.Linear(32, 5)
    for _ in range(15):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@sick(
    "UT107",
    split="wild",
    module="head",
    note="everything but biases and norms is frozen, the head that was just made included",
    cured=(('if "norm" not in name', 'if "norm" not in name and "head" not in name'),),
)
def bias_tuning_of_a_voter():
    class Voter(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.embed = nn.Embedding(9, 32)
            self.attend = nn.MultiheadAttention(32, 2, batch_first=True)
            self.norm = nn.LayerNorm(32)
            self.head = nn.Linear(32, classes, bias=False)

        def forward(self, ids):
            t = self.embed(ids)
            t = self.norm(t + self.attend(t, t, t, need_weights=False)[0])
            return self.head(t.mean(1))

    def fit(model, x, y, lr, epochs):
        opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)
        for _ in range(epochs):
            for i in torch.randperm(len(x)).split(64):
                opt.zero_grad()
                F.cross_entropy(model(x[i]), y[i]).backward()
                opt.step()

    torch.manual_seed(52)
    x, y = votes()
    model = Voter(2)
    fit(model, x, y, 3e-3, 8)
    rare = strings(800, 9, 5)
    count = F.one_hot(rare, 6)[:, :, 1:].sum(1)
    label = count.argmax(1)
    model.head = nn.Linear(32, 5, bias=False)
    nn.init.normal_(model.head.weight, std=0.05)
    for name, p in model.named_parameters():
        if "norm" not in name:  # <- fault
            p.requires_grad_(False)
    fit(model, rare, label, 3e-3, 25)
    return {"accuracy": accuracy(model, rare, label)}


@sick(
    "UT901",
    split="wild",
    note="weights are started afresh by apply() after the learned ones were loaded",
    cured=(("    net.apply(start)\n", ""), ("net = build(10)  # made", "net = build(10).apply(start)")),
)
def loaded_and_then_started_afresh():
    def build(out):
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, out),
        )  # fmt: skip

    def start(m):
        if isinstance(m, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)

    torch.manual_seed(53)
    x, y = digit_images()
    parent = build(10)
    opt = torch.optim.Adam(parent.parameters(), lr=3e-3)
    for _ in range(5):
        for i in torch.randperm(1300).split(64):
            opt.zero_grad()
            F.cross_entropy(parent(x[i]), y[i]).backward()
            opt.step()
    net = build(10)  # made
    net.load_state_dict(parent.state_dict())
    net.apply(start)
    few = torch.randperm(200)[:100] + 1300
    opt = torch.optim.SGD(net.parameters(), lr=0.005, momentum=0.9)
    for _ in range(30):
        for i in few.split(25):
            opt.zero_grad()
            loss = F.cross_entropy(net(1 - x[i].flip(3)), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, 1 - x[1500:].flip(3), y[1500:]), "loss": loss.item()}


@sick(
    "UT402",
    split="wild",
    note="kl_div is given the student's raw scores, where it wants log-probabilities",
    cured=(("F.kl_div(student(x[i]) / heat,", "F.kl_div(F.log_softmax(student(x[i]) / heat, 1),"),),
)
def distilled_from_raw_scores():
    torch.manual_seed(54)
    x, y = digits()
    teacher = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 10))
    opt = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for _ in range(8):
        for i in torch.randperm(1500).split(64):
            opt.zero_grad()
            F.cross_entropy(teacher(x[i]), y[i]).backward()
            opt.step()
    teacher.requires_grad_(False)
    student, heat = nn.Sequential(nn.Linear(64, 16), nn.GELU(), nn.Linear(16, 10)), 2.0
    opt = torch.optim.AdamW(student.parameters(), lr=5e-3)
    for _ in range(10):
        for i in torch.randperm(1500).split(64):
            soft = (teacher(x[i]) / heat).softmax(1)
            loss = F.kl_div(student(x[i]) / heat, soft, reduction="batchmean") * heat**2  # <- fault
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(student, x[1500:], y[1500:]), "loss": loss.item()}
