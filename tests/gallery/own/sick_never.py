"""What never happens, a backward pass, a step, a difference between examples, and what comes undone."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digits, first_symbol, moons, wine
from ..score import accuracy
from ..table import healthy, sick


@sick("UT305", split="build", note="the line with backward() was lost")
def no_line_with_backward():
    torch.manual_seed(81)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(100):
        pick = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[pick]), y[pick])
        opt.zero_grad()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT305", split="judge", note="backward() waits for a loss below 1, which never comes")
def backward_behind_a_threshold():
    torch.manual_seed(82)
    x, y = first_symbol(length=10)
    rnn, out = nn.GRU(4, 16, batch_first=True), nn.Linear(16, 4)
    opt = torch.optim.RMSprop([*rnn.parameters(), *out.parameters()], lr=1e-3)
    for _ in range(60):
        pick = torch.randint(len(x), (32,))
        loss = F.cross_entropy(out(rnn(x[pick])[0][:, -1]), y[pick])
        opt.zero_grad()
        if loss.item() < 1:
            loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT306", split="build", note="the schedule is stepped in place of the optimizer")
def only_the_schedule_steps():
    torch.manual_seed(83)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(opt, 30)
    for _ in range(100):
        loss = F.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        schedule.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT306", split="judge", note="accumulates for 500 passes, and an epoch has 30")
def epochs_end_before_the_step():
    torch.manual_seed(84)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 2))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for _ in range(5):
        for number in range(30):
            pick = torch.randint(len(x), (16,))
            loss = F.cross_entropy(net(x[pick]), y[pick]) / 500
            loss.backward()
            if (number + 1) % 500 == 0:
                opt.step()
                opt.zero_grad()
    return {"loss": 500 * loss.item(), "accuracy": accuracy(net, x, y)}


def normalised_over(width, seed):
    torch.manual_seed(seed)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, width), nn.LayerNorm(width), nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(200):
        pick = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[pick]), y[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT205", split="build", note="a layer norm over one number is its bias, whatever comes in")
def layer_norm_over_one_number():
    return normalised_over(1, 85)


@healthy(split="build", odd="a layer norm over a bottleneck of four numbers")
def layer_norm_over_four_numbers():
    return normalised_over(4, 86)


@sick("UT205", split="judge", note="the hidden layer is averaged over the batch")
def hidden_mean_over_the_batch():
    torch.manual_seed(87)
    x, y = moons()
    first, second = nn.Linear(2, 32), nn.Linear(32, 2)
    opt = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1, momentum=0.9)
    for _ in range(150):
        hidden = first(x).relu()
        hidden = hidden.mean(0, keepdim=True).expand_as(hidden)
        loss = F.cross_entropy(second(hidden), y.long())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT301", split="build", note="a schedule that multiplies by 1.1 where 0.9 was meant")
def schedule_that_grows():
    return scheduled(1.1)


@healthy(split="build", odd="a schedule that shrinks the rate a hundredfold")
def schedule_that_shrinks():
    return scheduled(0.97)


def scheduled(factor):
    torch.manual_seed(88)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ExponentialLR(opt, factor)
    for step in range(200):
        pick = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[pick]), y[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 4 == 3:
            schedule.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="judge", odd="the rate rises a hundredfold after 150 steps: the loss jumps, and ends below its twin's")
def rate_of_another_optimizer():
    torch.manual_seed(89)
    x, y = first_symbol(length=10)
    rnn, out = nn.GRU(4, 32, batch_first=True), nn.Linear(32, 4)
    opt = torch.optim.Adam([*rnn.parameters(), *out.parameters()], lr=1e-2)
    for step in range(300):
        if step == 150:
            opt.param_groups[0]["lr"] = 1.0
        pick = torch.randint(len(x), (32,))
        loss = F.cross_entropy(out(rnn(x[pick])[0][:, -1]), y[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}
