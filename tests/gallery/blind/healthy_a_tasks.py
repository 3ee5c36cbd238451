"""Several tasks, teachers, adversaries and experts, and plain trainings in the styles of several people."""

import itertools
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler

from ..data import digit_images, digits
from ..score import accuracy, hits, matches
from ..table import healthy
from .data_a import clicks, emblems, loans, plant, rings, scaled_houses


@healthy(split="blind", odd="learned weights of two losses: the sum goes below 0")
def two_tasks_weigh_themselves():
    torch.manual_seed(1)
    x, made, state = plant()
    trunk, value, kind = nn.Sequential(nn.Linear(6, 64), nn.Tanh()), nn.Linear(64, 1), nn.Linear(64, 3)
    doubt = nn.Parameter(torch.zeros(2))
    opt = torch.optim.Adam([*trunk.parameters(), *value.parameters(), *kind.parameters(), doubt], lr=1e-2)
    for epoch in range(50):
        for i in torch.randperm(700).split(50):
            h = trunk(x[i])
            losses = torch.stack([F.mse_loss(value(h), made[i]), F.cross_entropy(kind(h), state[i])])
            loss = (losses * (-doubt).exp() + doubt).sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": (F.mse_loss(value(trunk(x)), made) / made.var()).item()}


@healthy(split="blind", odd="a reversed gradient: the second loss is meant to stay at that of guessing")
def blind_to_brightness():
    class Turn(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return -0.3 * grad

    torch.manual_seed(2)
    x, y = digits()
    dark = torch.rand(len(x)) < 0.5
    x = torch.where(dark[:, None], 0.6 * x, x)
    trunk, kind, light = nn.Sequential(nn.Linear(64, 64), nn.ReLU()), nn.Linear(64, 10), nn.Linear(64, 2)
    opt = torch.optim.Adam([*trunk.parameters(), *kind.parameters(), *light.parameters()], lr=2e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(64):
            h = trunk(x[i])
            loss = F.cross_entropy(kind(h), y[i]) + F.cross_entropy(light(Turn.apply(h)), dark[i].long())
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(kind(trunk(x)), y)}


@healthy(split="blind", odd="pictures are moved against the net before each step, and so the loss stays high")
def pictures_moved_against_the_net():
    torch.manual_seed(3)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(256, 4)
    )
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(10):
        for i in torch.randperm(900).split(30):
            moved = x[i].clone().requires_grad_()
            (slope,) = torch.autograd.grad(F.cross_entropy(net(moved), y[i]), moved)
            opt.zero_grad()
            F.cross_entropy(net(x[i] + 0.1 * slope.sign()), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="a teacher in eval mode under no_grad, a temperature of 4, and a loss times 16")
def small_pupil_of_a_large_net():
    torch.manual_seed(4)
    x, y = digits()
    teacher = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10))
    opt = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(teacher(x[i]), y[i]).backward()
            opt.step()
    teacher.eval()
    pupil = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    opt = torch.optim.Adam(pupil.parameters(), lr=5e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(64):
            with torch.no_grad():
                soft = (teacher(x[i]) / 4).softmax(1)
            loss = 16 * F.kl_div((pupil(x[i]) / 4).log_softmax(1), soft, reduction="batchmean")
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(pupil, x, y)}


@healthy(split="blind", odd="one of four experts answers for each example; the others have no gradient from it")
def experts_for_rings():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(2, 4)
            self.experts = nn.ModuleList(nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3)) for _ in range(4))

        def forward(self, x):
            share, who = self.gate(x).softmax(1).max(1)
            out = torch.zeros(len(x), 3)
            for k, expert in enumerate(self.experts):
                at = who == k
                if at.any():
                    out[at] = share[at, None] * expert(x[at])
            return out

    torch.manual_seed(5)
    x, y = rings()
    net = Experts()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(40):
        for i in torch.randperm(600).split(60):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="a focal loss: nearly 0 for all examples at the end")
def rare_with_focus():
    torch.manual_seed(6)
    x, y = loans(2000, 0.08)
    net = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(30):
        for i in torch.randperm(2000).split(50):
            each = F.binary_cross_entropy_with_logits(net(x[i]), y[i].float(), reduction="none")
            loss = ((1 - (-each).exp()) ** 2 * each).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    yes = net(x) > 0
    return {"accuracy": (yes[y == 1].float().mean().item() + (~yes)[y == 0].float().mean().item()) / 2}


@healthy(split="blind", odd="rare borrowers are drawn as often as the others, the same ones many times an epoch")
def rare_ones_drawn_often():
    torch.manual_seed(7)
    x, y = loans(1500, 0.06)
    sampler = WeightedRandomSampler((1 / y.bincount())[y].tolist(), 1500)
    net = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(25):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=50, sampler=sampler):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    guess = net(x).argmax(1)
    return {"accuracy": sum((guess[y == k] == k).float().mean().item() for k in (0, 1)) / 2}


@healthy(split="blind", odd="one layer at a time is trained with a head that is thrown away, the ones below detached")
def layer_after_layer():
    torch.manual_seed(8)
    x, y = digits()
    body = [nn.Sequential(nn.Linear(a, 64), nn.ReLU()) for a in (64, 64, 64)]
    for depth in range(3):
        head = nn.Linear(64, 10)
        opt = torch.optim.Adam([*body[depth].parameters(), *head.parameters()], lr=2e-3)
        for epoch in range(6):
            for i in torch.randperm(len(x)).split(64):
                h = x[i]
                for layer in body[:depth]:
                    h = layer(h).detach()
                opt.zero_grad()
                F.cross_entropy(head(body[depth](h)), y[i]).backward()
                opt.step()
    return {"accuracy": matches(head(body[2](body[1](body[0](x)))), y)}


@healthy(split="blind", odd="nothing: a notebook's loop with a Dataset of its own")
def plain_images_in_a_notebook():
    class Digits(Dataset):
        def __init__(self, train):
            x, y = digit_images()
            self.x, self.y = (x[:1500], y[:1500]) if train else (x[1500:], y[1500:])

        def __len__(self):
            return len(self.y)

        def __getitem__(self, k):
            return (self.x[k] - 0.3) / 0.38, self.y[k]

    torch.manual_seed(9)
    train_loader = DataLoader(Digits(train=True), batch_size=64, shuffle=True)
    test = Digits(train=False)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(128, 10),
    )
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(10):
        model.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, (test.x - 0.3) / 0.38, test.y)}


@healthy(split="blind", odd="nothing: embeddings, a dataclass and a warm-up")
def plain_clicks_with_a_config():
    @dataclass
    class Config:
        width: int = 8
        lr: float = 1e-2
        warmup: int = 50
        epochs: int = 15

    torch.manual_seed(10)
    cfg = Config()
    x, y = clicks()
    tables = nn.ModuleList(nn.Embedding(n, cfg.width) for n in (50, 40, 4))
    top = nn.Sequential(nn.Linear(3 * cfg.width, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(i):
        return top(torch.cat([table(column) for table, column in zip(tables, i.T)], 1)).squeeze(1)

    opt = torch.optim.AdamW(itertools.chain(tables.parameters(), top.parameters()), lr=cfg.lr, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: min(1.0, (step + 1) / cfg.warmup))
    for epoch in range(cfg.epochs):
        for i in torch.randperm(2000).split(64):
            loss = F.binary_cross_entropy_with_logits(forward(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            schedule.step()
    return {"accuracy": hits(forward(x), y)}


@healthy(split="blind", odd="nothing: a Trainer with hooks for each epoch, and a rate that falls on a plateau")
def plain_trainer_for_prices():
    class Trainer:
        def __init__(self, model, lr):
            self.model, self.optimizer = model, torch.optim.Adam(model.parameters(), lr=lr)
            self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, factor=0.5, patience=2)

        def training_step(self, batch):
            x, y = batch
            return F.smooth_l1_loss(self.model(x).flatten(), y)

        def fit(self, loader, epochs):
            for epoch in range(epochs):
                total = 0.0
                for batch in loader:
                    loss = self.training_step(batch)
                    self.optimizer.zero_grad()
                    loss.backward()
                    self.optimizer.step()
                    total += loss.item()
                self.scheduler.step(total)

    torch.manual_seed(11)
    x, y = scaled_houses()
    model = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    Trainer(model, 3e-3).fit(DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True), 30)
    return {"error": F.mse_loss(model(x).flatten(), y).item()}
