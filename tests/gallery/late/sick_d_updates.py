"""Optimizers that are given too little, too much, too late, or the wrong numbers."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, characters, diabetes, digit_images, digits, wine
from ..score import accuracy, hits
from ..table import sick


@sick(
    "UT307",
    split="late",
    note="zero_grad between backward and step",
    cured=(
        ("scaled.backward()\n            self.opt.zero_grad()", "self.opt.zero_grad()\n            scaled.backward()"),
    ),
)
def trainer_that_zeroes_late():
    class Trainer:
        def __init__(self, net, lr):
            self.net, self.opt = net, torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.0)

        def step(self, inputs, labels):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(self.net(inputs), labels)
            scaled = loss.float()
            scaled.backward()
            self.opt.zero_grad()
            self.opt.step()
            return scaled.item()

    torch.manual_seed(80)
    x, y = digits()
    trainer = Trainer(nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10)), lr=2e-3)
    losses = [trainer.step(x[i], y[i]) for _ in range(4) for i in torch.randperm(len(x)).split(60)]
    return {"accuracy": accuracy(trainer.net, x, y), "loss": losses[-1]}


@sick(
    "UT305",
    split="late",
    note="backward hangs on a flag for mixed precision, which is off on this machine",
    cured=(("if use_amp:\n", "if True:\n"),),
)
def backward_behind_a_flag():
    torch.manual_seed(81)
    x, y = wine()
    use_amp = torch.cuda.is_available()
    net = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
    for epoch in range(20):
        for data, target in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(data), target)
            if use_amp:
                scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT308",
    split="late",
    note="weights, gradients and steps all in bfloat16, plain SGD at 0.002",
    cured=(("dtype = torch.bfloat16", "dtype = torch.float32"),),
)
def pure_bfloat16_finetune():
    torch.manual_seed(82)
    dtype = torch.bfloat16
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 256), nn.LayerNorm(256), nn.ReLU(), nn.Linear(256, 10)).to(dtype)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p + 0.15 * torch.randn(p.shape))
    opt = torch.optim.SGD(net.parameters(), lr=2e-3, momentum=0.0)
    for step in range(500):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(net(x[i].to(dtype)).float(), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x.to(dtype), y)}


@sick(
    "UT309",
    split="late",
    note="AdamW's weight decay of 50, where 0.05 was meant",
    cured=(("weight_decay=50", "weight_decay=0.05"),),
)
def decay_written_as_fifty():
    class Model(nn.Module):
        def __init__(self, symbols):
            super().__init__()
            self.embed = nn.Embedding(symbols, 16)
            self.lstm = nn.LSTM(16, 48, batch_first=True)
            self.out = nn.Linear(48, symbols)

        def forward(self, x):
            return self.out(self.lstm(self.embed(x))[0])

    torch.manual_seed(83)
    ids, symbols = characters()
    windows = ids.unfold(0, 13, 1)
    model = Model(symbols)
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=50)
    for step in range(150):
        w = windows[torch.randint(len(windows), (32,))]
        loss = F.cross_entropy(model(w[:, :-1]).flatten(0, 1), w[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(model, windows[:, :-1], windows[:, 1:])}


@sick(
    "UT311",
    split="late",
    note="epsilon of 1 in Adam, read somewhere for another network",
    cured=(("eps=1.0", "eps=1e-8"),),
)
def adam_with_epsilon_one():
    torch.manual_seed(84)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1.0)
    for epoch in range(30):
        for i in torch.randperm(350).split(25):
            loss = F.l1_loss(net(x[i]), y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[350:]), y[350:]).item()}


@sick(
    "UT312",
    split="late",
    note="momentum of 0.999 over some 400 steps",
    cured=(("momentum=0.999", "momentum=0.9"),),
)
def momentum_of_three_nines():
    torch.manual_seed(85)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.999)
    for epoch in range(30):
        for i in torch.randperm(350).split(25):
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[350:]).squeeze(1), y[350:]).item(), "loss": loss.item()}


@sick(
    "UT604",
    split="late",
    note="sixteen micro-batches add up and are not divided",
    cured=(("loss.backward()", "(loss / micro).backward()"),),
)
def sixteen_micro_batches_added():
    torch.manual_seed(86)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(192, 48), nn.ReLU(),
        nn.Linear(48, 10),
    )  # fmt: skip
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    micro = 16
    opt.zero_grad()
    for k, i in enumerate(torch.cat([torch.randperm(1500) for _ in range(6)]).split(8)):
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        if k % micro == micro - 1:
            opt.step()
            opt.zero_grad()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}


@sick(
    "UT104",
    split="late",
    note="a model in float16 whose loss is a mean over very many, without a loss scale",
    cured=(("scale = 1.0", "scale = 65536.0"),),
)
def half_precision_without_scale():
    torch.manual_seed(87)
    x, _ = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 64)).half()
    master = [p.detach().float().requires_grad_() for p in net.parameters()]
    opt = torch.optim.Adam(master, lr=3e-3)
    scale = 1.0
    for step in range(300):
        i = torch.randint(len(x), (256,))
        out = net(x[i].half())
        loss = 1e-3 * F.mse_loss(out.float(), x[i])
        for p in net.parameters():
            p.grad = None
        (loss * scale).backward()
        for m, p in zip(master, net.parameters()):
            m.grad = p.grad.float() / scale
        opt.step()
        with torch.no_grad():
            for m, p in zip(master, net.parameters()):
                p.copy_(m)
    return {"error": F.mse_loss(net(x.half()).float(), x).item()}


@sick(
    "UT302",
    split="late",
    note="Adadelta at the 0.001 of Adam",
    cured=(("lr=0.001", "lr=1.0"),),
)
def adadelta_at_adams_rate():
    torch.manual_seed(88)
    x, y = cancer()
    model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1))
    optimizer = torch.optim.Adadelta(model.parameters(), lr=0.001)  # <- fault
    for epoch in range(8):
        for i in torch.randperm(569).split(48):
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(model(x[i]).squeeze(1), y[i].float())
            loss.backward()
            optimizer.step()
    return {"accuracy": hits(model(x), y)}


@sick(
    "UT401",
    split="late",
    note="a softmax layer at the end of a network trained with CrossEntropyLoss and SGD",
    cured=(("nn.Linear(40, 10), nn.Softmax(dim=1)", "nn.Linear(40, 10)"),),
)
def softmax_then_cross_entropy():
    torch.manual_seed(89)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10), nn.Softmax(dim=1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            criterion(net(x[i]), y[i]).backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x, y)}
