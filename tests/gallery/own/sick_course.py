"""Trainings that go well for a while, or begin from something that was learned, and what undoes it."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digit_images, digits, wine
from ..score import accuracy
from ..table import healthy, sick


class Trainer:
    def __init__(self, model, optimizer, schedule=None):
        self.model, self.optimizer, self.schedule = model, optimizer, schedule

    def epoch(self, loader):
        self.model.train()
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        return loss.item()


def renumbered(shift, late):
    """The second file has its classes numbered from another one, or not; a few batches of it come last."""
    torch.manual_seed(120)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for step in range(600):
        i = torch.randint(1000, (32,)) if step < 600 - late else 1000 + torch.randint(797, (32,))
        target = y[i] if step < 600 - late else (y[i] + shift) % 10
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), target)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT702", split="build", note="the second file numbers the classes from one: its labels are off")
def second_file_numbered_otherwise():
    return renumbered(1, 60)


@healthy(split="build", odd="other data come last, numbered like the first")
def second_file_numbered_alike():
    return renumbered(0, 60)


def annealed(gamma):
    torch.manual_seed(121)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))
    opt = torch.optim.NAdam(net.parameters(), lr=1e-3)
    trainer = Trainer(net, opt, lr_scheduler.LambdaLR(opt, lambda epoch: gamma**epoch))
    for _ in range(30):
        trainer.epoch(DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True))
    return {"accuracy": accuracy(net, x, y)}


@sick("UT301", split="build", note="1.4 where 1 / 1.4 was meant, epoch after epoch")
def decay_the_wrong_way_round():
    return annealed(1.4)


@healthy(split="build", odd="the rate falls by a third at each epoch")
def decay_the_right_way_round():
    return annealed(1 / 1.4)


def cycled(highest):
    torch.manual_seed(122)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    cycle = lr_scheduler.OneCycleLR(opt, max_lr=highest, total_steps=400)
    for step in range(400):
        i = torch.randint(len(x), (32,))
        loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        cycle.step()
    return {"loss": F.mse_loss(net(x).squeeze(1), y).item()}


@sick("UT301", split="build", note="a cycle whose peak is a hundred times too high")
def cycle_up_to_two():
    return cycled(2.0)


@healthy(split="build", odd="a cycle that raises the rate twenty-five-fold, and takes it back")
def cycle_up_to_a_fiftieth():
    return cycled(0.02)


def features():
    """Convolutions that were trained on the digits 0 to 4, and the others to go on with."""
    x, y = digit_images()
    convolutions = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Flatten(),
    )  # fmt: skip
    net = nn.Sequential(convolutions, nn.Linear(256, 5))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    trainer = Trainer(net, opt)
    for _ in range(4):
        trainer.epoch(DataLoader(TensorDataset(x[y < 5], y[y < 5]), batch_size=64, shuffle=True))
    return convolutions, x[y >= 5], y[y >= 5] - 5


with torch.random.fork_rng():
    torch.manual_seed(123)
    FEATURES, IMAGES, CLASSES = features()  # what was trained before is no part of the runs


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = copy.deepcopy(FEATURES)
        self.head = nn.Linear(256, 5)

    def forward(self, x):
        return self.head(self.backbone(x))


def fine_tuned(seed, optimizer, epochs=4):
    torch.manual_seed(seed)
    net = Classifier()
    trainer = Trainer(net, optimizer(net))
    for _ in range(epochs):
        trainer.epoch(DataLoader(TensorDataset(IMAGES, CLASSES), batch_size=32, shuffle=True))
    return {"accuracy": accuracy(net, IMAGES, CLASSES)}


@sick("UT901", split="build", note="what was learned before is thrown off by the rate of a training from scratch")
def backbone_at_the_rate_from_scratch():
    return fine_tuned(124, lambda net: torch.optim.SGD(net.parameters(), lr=1.0, momentum=0.9))


@sick("UT901", split="build", note="the same by RMSprop, whose first steps are ten times as long")
def backbone_by_root_mean_squares():
    return fine_tuned(125, lambda net: torch.optim.RMSprop(net.parameters(), lr=0.3, momentum=0.9), 2)


@healthy(split="build", odd="the same at a hundredth of the rate")
def backbone_gently():
    return fine_tuned(124, lambda net: torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9))


def grouped(backbone, head):
    return lambda net: torch.optim.SGD(
        [{"params": net.backbone.parameters(), "lr": backbone}, {"params": net.head.parameters(), "lr": head}],
        lr=1e-3,
        momentum=0.9,
    )


@sick("UT302", split="build", module="head", note="the group of the new head has a rate of 0")
def head_group_left_at_zero():
    return fine_tuned(126, grouped(1e-4, 0.0), 6)


@sick("UT302", split="build", module="head", note="the rates of backbone and head are the wrong way round")
def rates_of_the_groups_swapped():
    return fine_tuned(127, grouped(1e-3, 1e-6), 3)


@healthy(split="build", odd="the head moves a thousand times as fast as the backbone")
def head_faster_than_backbone():
    return fine_tuned(126, grouped(1e-5, 1e-2), 6)


@healthy(split="build", odd="a random first layer in a group with a rate of 0, on purpose")
def random_features_at_rate_zero():
    torch.manual_seed(128)
    x, y = wine()
    first, last = nn.Linear(13, 128), nn.Linear(128, 3)
    net = nn.Sequential(first, nn.ReLU(), last)
    opt = torch.optim.AdamW([{"params": first.parameters(), "lr": 0.0}, {"params": last.parameters()}], lr=1e-2)
    trainer = Trainer(net, opt)
    for _ in range(15):
        trainer.epoch(DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True))
    return {"accuracy": accuracy(net, x, y)}
