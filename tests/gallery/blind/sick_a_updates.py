"""Gradients that are kept, lost, thrown away or never made, and steps that vanish."""

import itertools

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digits, wine
from ..score import accuracy
from ..table import sick
from .data_a import bags, emblems, plant, rentals, rings, scaled_houses


@sick(
    "UT303",
    split="blind",
    note="opt.zero_grad without its parentheses",
    cured=(("opt.zero_grad  #", "opt.zero_grad()  #"),),
)
def rings_before_lunch():
    torch.manual_seed(1)
    x, y = rings()
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(800):
        i = torch.randint(600, (60,))
        opt.zero_grad  # noqa: B018
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT303",
    split="blind",
    note="gradients are zeroed once an epoch",
    cured=(("            loss.backward()", "            optimizer.zero_grad()\n            loss.backward()"),),
)
def top_of_the_epoch():
    torch.manual_seed(2)
    x, y = scaled_houses()
    loader = DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)
    model = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    for epoch in range(25):
        optimizer.zero_grad()
        for inputs, prices in loader:
            loss = F.smooth_l1_loss(model(inputs), prices)
            loss.backward()
            optimizer.step()
    return {"error": F.mse_loss(model(x), y).item()}


@sick(
    "UT303",
    split="blind",
    note="a Trainer zeroes one optimizer twice, and the encoder's never",
    cured=(("for opt in (self.opt_d, self.opt_d)", "for opt in (self.opt_g, self.opt_d)"),),
)
def trainer_of_an_encoder_and_a_decoder():
    class Trainer:
        def __init__(self, encoder, decoder):
            self.encoder, self.decoder = encoder, decoder
            self.opt_g = torch.optim.SGD(encoder.parameters(), lr=0.5, momentum=0.9)
            self.opt_d = torch.optim.SGD(decoder.parameters(), lr=0.5, momentum=0.9)

        def step(self, batch):
            for opt in (self.opt_d, self.opt_d):
                opt.zero_grad()
            self.fake = self.decoder(self.encoder(batch))
            F.mse_loss(self.fake, batch).backward()
            self.opt_g.step()
            self.opt_d.step()

    torch.manual_seed(3)
    x, _ = digits()
    encoder = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 8))
    decoder = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 64))
    trainer = Trainer(encoder, decoder)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(64):
            trainer.step(x[i])
    return {"error": F.mse_loss(decoder(encoder(x)), x).item()}


@sick(
    "UT305",
    split="blind",
    note="loss.backward without its parentheses",
    cured=(("loss.backward  # noqa: B018", "loss.backward()"),),
)
def bicycles_by_the_hour():
    torch.manual_seed(4)
    x, y = rentals()
    net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1), nn.Softplus())
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(25):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).flatten(), y[i])
            loss.backward  # noqa: B018
            opt.step()
    return {"error": F.mse_loss(net(x).flatten(), y).item()}


@sick(
    "UT306",
    split="blind",
    note="a step after 64 batches, and an epoch has 30, after which gradients are zeroed",
    cured=(("accumulate=64", "accumulate=2"),),
)
def accumulating_over_emblems():
    def fit(net, x, y, *, epochs=12, size=30, accumulate=64):
        opt = torch.optim.Adam(net.parameters(), lr=2e-3)
        for epoch in range(epochs):
            opt.zero_grad()
            for k, i in enumerate(torch.randperm(len(x)).split(size), 1):
                loss = F.cross_entropy(net(x[i]), y[i]) / accumulate
                loss.backward()
                if k % accumulate == 0:
                    opt.step()
                    opt.zero_grad()

    torch.manual_seed(5)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4)
    )
    fit(net, x, y)
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT306",
    split="blind",
    note="only the scheduler is stepped",
    cured=(("        schedule.step()", "        opt.step()\n        schedule.step()"),),
)
def spread_of_a_set():
    class DeepSet(nn.Module):
        def __init__(self):
            super().__init__()
            self.phi = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
            self.rho = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))

        def forward(self, x):
            h = self.phi(x - x.mean(1, keepdim=True))
            return self.rho(torch.cat([h.mean(1), h.amax(1)], 1))

    torch.manual_seed(6)
    x, y = bags()
    net = DeepSet()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 400)
    for step in range(400):
        i = torch.randint(500, (32,))
        opt.zero_grad()
        F.mse_loss(net(x[i]), y[i]).backward()
        schedule.step()
    return {"error": F.mse_loss(net(x), y).item()}


@sick(
    "UT307",
    split="blind",
    note="zero_grad has slipped between backward and step",
    cured=(("loss.backward()\n            net.zero_grad()", "net.zero_grad()\n            loss.backward()"),),
)
def lines_in_another_order():
    torch.manual_seed(7)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(16):
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            net.zero_grad()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT307",
    split="blind",
    note="of two losses the second's zero_grad wipes out the first's gradient",
    cured=(("opt.zero_grad(set_to_none=False)", "pass"),),
)
def backward_for_each_head():
    torch.manual_seed(8)
    x, made, state = plant()
    trunk = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
    one, two = nn.Linear(32, 1), nn.Linear(32, 3)
    opt = torch.optim.Adam(itertools.chain(trunk.parameters(), one.parameters(), two.parameters()), lr=5e-3)
    for epoch in range(30):
        for i in torch.randperm(700).split(50):
            opt.zero_grad()
            F.mse_loss(one(trunk(x[i])), made[i]).backward()
            opt.zero_grad(set_to_none=False)
            F.cross_entropy(two(trunk(x[i])), state[i]).backward()
            opt.step()
    return {"error": F.mse_loss(one(trunk(x)), made).item()}


@sick(
    "UT308",
    split="blind",
    note="weights in bfloat16 with a small rate: most steps round to nothing",
    cured=(("net.bfloat16()", "net.float()"), ("x.bfloat16()", "x.float()")),
)
def all_of_it_in_bfloat16():
    torch.manual_seed(9)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    net, x = net.bfloat16(), x.bfloat16()
    opt = torch.optim.SGD(net.parameters(), lr=2e-3, momentum=0.9)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(16):
            opt.zero_grad()
            F.cross_entropy(net(x[i]).float(), y[i]).backward()
            opt.step()
    return {"error": F.cross_entropy(net(x).float(), y).item()}


@sick(
    "UT308",
    split="blind",
    note="float16 parameters near 1 and a hand-written step of a hundred-thousandth of them",
    cured=(("torch.float16", "torch.float32"),),
)
def scales_of_a_dozen_readings():
    torch.manual_seed(10)
    x, y = cancer()
    scale = torch.ones(30, dtype=torch.float16, requires_grad=True)
    weight = torch.randn(30)
    for step in range(6000):
        i = torch.randint(len(x), (64,))
        score = (x[i] * scale.float()) @ weight
        loss = F.binary_cross_entropy_with_logits(score, y[i].float())
        (grad,) = torch.autograd.grad(loss, scale)
        with torch.no_grad():
            scale -= (1e-3 * grad.float()).to(scale.dtype)
    return {"error": F.binary_cross_entropy_with_logits((x * scale.float()) @ weight, y.float()).item()}
