"""Rates and schedules that are wrong, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digit_images, wine
from ..score import accuracy
from ..table import sick
from .data import houses, prose, reviews, tags, vocabulary


@sick(
    "UT301",
    split="held",
    note="Adam at 0.3 on a small convolutional network",
    cured=(("lr=0.3", "lr=0.003"),),
)
def convolutions_by_adam_at_three_tenths():
    class CNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
            self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
            self.fc1 = nn.Linear(16 * 4, 64)
            self.fc2 = nn.Linear(64, 10)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            return self.fc2(F.relu(self.fc1(x.flatten(1))))

    torch.manual_seed(0)
    x, y = digit_images()
    model = CNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.3)
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT301",
    split="held",
    note="a transformer at 0.05 without warm-up",
    cured=(("lr=0.05", "lr=0.001"),),
)
def transformer_without_warm_up():
    class LM(nn.Module):
        def __init__(self, n, dim=32):
            super().__init__()
            self.embed, self.place = nn.Embedding(n, dim), nn.Parameter(torch.zeros(20, dim))
            layer = nn.TransformerEncoderLayer(dim, 4, 64, dropout=0.0, batch_first=True)
            self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.out = nn.Linear(dim, n)
            self.mask = nn.Transformer.generate_square_subsequent_mask(20)

        def forward(self, t):
            return self.out(self.body(self.embed(t) + self.place, self.mask))

    torch.manual_seed(1)
    text, n = prose()
    model = LM(n)
    opt = torch.optim.AdamW(model.parameters(), lr=0.05)
    for step in range(400):
        at = torch.randint(len(text) - 21, (16,))
        piece = text[at[:, None] + torch.arange(21)]
        loss = F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item()}


@sick(
    "UT301",
    split="held",
    note="arguments swapped: the momentum stands where the rate should, and a network that bears it badly",
    cured=(("momentum, lr = 0.01, 0.9", "lr, momentum = 0.01, 0.9"),),
)
def rate_and_momentum_swapped():
    torch.manual_seed(2)
    x, y = houses()
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    momentum, lr = 0.01, 0.9
    optimizer = torch.optim.SGD(net.parameters(), lr, momentum)
    for epoch in range(40):
        for i in torch.randperm(2000).split(50):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            optimizer.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT301",
    split="held",
    note="an exponential schedule with gamma above one",
    cured=(("gamma=1.3", "gamma=1 / 1.3"),),
)
def gamma_above_one():
    torch.manual_seed(3)
    x, y = wine()
    order = torch.randperm(178)
    x, y = x[order], y[order]
    net = nn.Sequential(nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=1.3)
    for epoch in range(40):
        for i in torch.randperm(120).split(8):
            loss = F.cross_entropy(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
        schedule.step()
    return {"accuracy": accuracy(net, x[120:], y[120:])}


@sick(
    "UT301",
    split="held",
    note="one-cycle policy with a maximum of 3 on a recurrent network",
    cured=(("max_lr=3.0", "max_lr=0.02"),),
)
def one_cycle_up_to_three():
    class Sentiment(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(60, 16, padding_idx=0)
            self.lstm = nn.LSTM(16, 24, batch_first=True)
            self.fc = nn.Linear(24, 2)

        def forward(self, tokens):
            return self.fc(self.lstm(self.embed(tokens))[0].amax(1))

    torch.manual_seed(4)
    tokens, _, mood = reviews()
    model = Sentiment()
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    cycle = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=3.0, total_steps=500)
    for step in range(500):
        i = torch.randint(800, (32,))
        opt.zero_grad()
        loss = F.cross_entropy(model(tokens[i]), mood[i])
        loss.backward()
        opt.step()
        cycle.step()
    return {"accuracy": accuracy(model, tokens, mood)}


@sick(
    "UT302",
    split="held",
    note="plain gradient descent at 1e-6, copied from a fine-tuning recipe",
    cured=(("lr=1e-6", "lr=0.1"),),
)
def rate_of_a_fine_tuning_recipe():
    torch.manual_seed(5)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 2))
    opt = torch.optim.SGD(net.parameters(), lr=1e-6, momentum=0.9)
    for epoch in range(120):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT302",
    split="held",
    note="StepLR counts epochs but is stepped after each batch",
    cured=(
        ("            scheduler.step()\n", "            pass\n"),
        ("        model.train()\n", "        scheduler.step()\n"),
    ),
)
def schedule_stepped_per_batch():
    torch.manual_seed(6)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.1)
    for epoch in range(12):
        model.train()
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
            scheduler.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT302",
    split="held",
    note="a warm-up over 4,000,000 steps, meant for a long run, in a run of 900",
    cured=(("4_000_000", "100"),),
)
def warm_up_longer_than_the_run():
    class LM(nn.Module):
        def __init__(self, n, dim=32):
            super().__init__()
            self.embed = nn.Embedding(n, dim)
            self.gru = nn.GRU(dim, 48, batch_first=True)
            self.out = nn.Linear(48, n)

        def forward(self, t):
            return self.out(self.gru(self.embed(t))[0])

    torch.manual_seed(7)
    words, n = vocabulary()
    model = LM(n)
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    warm = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: min(1.0, step / 4_000_000))
    for step in range(900):
        at = torch.randint(len(words) - 13, (24,))
        piece = words[at[:, None] + torch.arange(13)]
        loss = F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
        warm.step()
    return {"error": loss.item()}


@sick(
    "UT312",
    split="held",
    note="a hand-written heavy ball that adds the whole gradient to a velocity that never fades",
    cured=(("beta = 1.0", "beta = 0.9"),),
)
def velocity_that_never_fades():
    torch.manual_seed(8)
    x, y = tags()
    net = nn.Sequential(nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, 12))
    beta = 1.0
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=beta)
    for epoch in range(40):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.binary_cross_entropy_with_logits(net(x), y).item()}
