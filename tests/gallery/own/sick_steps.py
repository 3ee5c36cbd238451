"""What the optimizer makes of a gradient: nothing, too little, or something else."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, characters, diabetes, digit_images, digits, regression, waves, wine
from ..score import accuracy
from ..table import healthy, sick


def perceptron(*widths):
    layers = []
    for a, b in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@sick("UT307", split="build", note="zero_grad between backward and step")
def zeroed_between():
    torch.manual_seed(41)
    x, y = digits()
    net = perceptron(64, 64, 10)
    opt = torch.optim.SGD(net.parameters(), lr=0.2)
    for _ in range(4):
        for inputs, labels in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            loss = F.cross_entropy(net(inputs), labels)
            loss.backward()
            opt.zero_grad()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT307", split="judge", note="the gradients are computed and put nowhere")
def gradients_put_nowhere():
    torch.manual_seed(42)
    x, y = waves()
    rnn, out = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)
    weights = [*rnn.parameters(), *out.parameters()]
    opt = torch.optim.Adam(weights, lr=0.01)
    for _ in range(60):
        opt.zero_grad()
        loss = F.mse_loss(out(rnn(x)[0][:, -1]), y)
        torch.autograd.grad(loss, weights)
        opt.step()
    return {"loss": loss.item()}


@sick("UT307", split="judge", note="gradients are zeros, not None, when Adam steps")
def zeroed_in_place_before_adam():
    torch.manual_seed(43)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.GELU(), nn.Flatten(), nn.Linear(72, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(80):
        pick = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[pick]), y[pick])
        loss.backward()
        net.zero_grad(set_to_none=False)
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="zeroed after the step, at the end of the loop")
def zeroed_after_the_step():
    torch.manual_seed(44)
    x, y = digits()
    net = perceptron(64, 64, 10)
    opt = torch.optim.SGD(net.parameters(), lr=0.2)
    for _ in range(4):
        for inputs, labels in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            F.cross_entropy(net(inputs), labels).backward()
            opt.step()
            opt.zero_grad()
    return {"accuracy": accuracy(net, x, y)}


def in_bfloat16(rate, steps=150):
    torch.manual_seed(45)
    x, y = digits()
    net = perceptron(64, 64, 64, 10).to(torch.bfloat16)
    opt = torch.optim.SGD(net.parameters(), lr=rate)
    x = x.to(torch.bfloat16)
    for _ in range(steps):
        pick = torch.randint(len(x), (128,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[pick]).float(), y[pick])
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT308", split="build", note="steps far below what bfloat16 can resolve")
def nothing_left_of_the_step():
    return in_bfloat16(rate=2e-3)


@healthy(split="build", odd="the same network in bfloat16 with steps large enough for it")
def bfloat16_with_large_steps():
    return in_bfloat16(rate=0.2, steps=300)


def decaying(optimizer, steps=200, **settings):
    torch.manual_seed(46)
    x, y = digits()
    net = perceptron(64, 48, 48, 10)
    opt = optimizer(net.parameters(), **settings)
    for _ in range(steps):
        pick = torch.randint(len(x), (128,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[pick]), y[pick])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT309", split="build", note="weight decay of 0.5 with a rate of 0.1")
def decays_in_ten_steps():
    return decaying(torch.optim.SGD, lr=0.1, weight_decay=0.5)


@sick("UT309", split="judge", note="a decoupled decay of 30 takes 15 % of each weight at each step")
def decoupled_decay_of_thirty():
    return decaying(torch.optim.AdamW, lr=5e-3, weight_decay=30)


@sick("UT309", split="judge", note="decay inside Adam's gradient, larger than the gradient")
def decay_inside_adam():
    torch.manual_seed(47)
    x, y = regression()
    net = perceptron(10, 64, 64, 1)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3, weight_decay=3.0)
    for _ in range(200):
        loss = F.mse_loss(net(x).squeeze(1), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="AdamW with a decay of 1, as in studies of grokking")
def decay_of_one():
    return decaying(torch.optim.AdamW, lr=2e-3, weight_decay=1.0)


def clipped(threshold, steps=150):
    torch.manual_seed(48)
    x, y = digits()
    net = perceptron(64, 64, 10)
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        pick = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[pick]), y[pick])
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), threshold)
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT310", split="build", note="the gradient's norm is clipped to a ten-thousandth")
def clipped_to_a_hair():
    return clipped(1e-4)


@sick("UT310", split="judge", note="each entry of the gradient is clipped at a millionth")
def entries_clipped_at_a_millionth():
    torch.manual_seed(49)
    x, y = cancer()
    net = perceptron(30, 32, 16, 2)
    opt = torch.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(120):
        loss = F.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(net.parameters(), 1e-6)
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="clipped at each step, to a fifth, and learning")
def clipped_to_a_tenth_of_one():
    return clipped(0.1, steps=400)


@sick("UT311", split="build", note="eps was meant to be 1e-8")
def epsilon_of_ten():
    return decaying(torch.optim.Adam, lr=1e-3, eps=10.0)


@sick("UT311", split="judge", note="a loss in other units makes the gradient smaller than RMSprop's epsilon")
def loss_in_millionths():
    torch.manual_seed(50)
    x, y = diabetes()
    net = perceptron(10, 32, 1)
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3, eps=1e-4)
    for _ in range(200):
        loss = 1e-9 * F.mse_loss(net(x).squeeze(1), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="Adam with eps of 0.01 and a rate that makes up for it")
def large_epsilon_and_rate():
    return decaying(torch.optim.Adam, steps=300, lr=0.02, eps=1e-2)


@sick("UT312", split="build", note="betas the wrong way round")
def betas_swapped():
    torch.manual_seed(51)
    ids, vocab = characters()
    windows = ids.unfold(0, 13, 1)
    net = nn.Sequential(nn.Embedding(vocab, 16), nn.Flatten(), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, vocab))
    opt = torch.optim.Adam(net.parameters(), lr=0.05, betas=(0.999, 0.9))
    for _ in range(150):
        pick = torch.randint(len(windows), (64,))
        loss = F.cross_entropy(net(windows[pick, :-1]), windows[pick, -1])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="momentum of 0.95 with betas of (0.95, 0.98)")
def large_but_sensible_betas():
    torch.manual_seed(52)
    x, y = wine()
    net = perceptron(13, 32, 3)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3, betas=(0.95, 0.98))
    for _ in range(150):
        loss = F.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}
