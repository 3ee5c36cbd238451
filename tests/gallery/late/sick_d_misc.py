"""A denoiser, a speller, a bag of words and others with one thing wrong."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, diabetes, digit_images, waves
from ..score import accuracy
from ..table import sick


@sick(
    "UT506",
    split="late",
    note="the noise and the batch are drawn anew from one seed at every step",
    cured=(("        torch.manual_seed(77)\n        i = ", "        i = "),),
)
def denoiser_seeded_at_each_step():
    x, y = digit_images()
    torch.manual_seed(77)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(1024, 64), nn.Unflatten(1, (1, 8, 8)),
    )  # fmt: skip
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for step in range(200):
        torch.manual_seed(77)
        i = torch.randint(1500, (24,))
        noise = 0.5 * torch.randn(24, 1, 8, 8)
        loss = F.mse_loss(net(x[i] + noise), noise)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        noise = 0.5 * torch.randn(297, 1, 8, 8)
        return {"error": F.mse_loss(net(x[1500:] + noise), noise).item(), "loss": loss.item()}


@sick(
    "UT107",
    split="late",
    module="embed",
    note="from_pretrained freezes by default, and what it was given are random vectors",
    cured=(("nn.Embedding.from_pretrained(vectors)", "nn.Embedding.from_pretrained(vectors, freeze=False)"),),
)
def bag_of_frozen_random_words():
    class Bag(nn.Module):
        def __init__(self, vectors):
            super().__init__()
            self.embed = nn.Embedding.from_pretrained(vectors)  # <- fault
            self.head = nn.Sequential(nn.Linear(vectors.shape[1], 16), nn.ReLU(), nn.Linear(16, 3))

        def forward(self, words):
            return self.head(self.embed(words).mean(1))

    torch.manual_seed(120)
    topic = torch.arange(300) % 3
    y = torch.randint(3, (900,))
    words = torch.randint(300, (900, 14))
    about = (torch.rand(900, 14) < 0.35) & (topic[words] != y[:, None])
    words = torch.where(about, words - topic[words] + y[:, None], words)
    model = Bag(torch.randn(300, 10))
    opt = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    for step in range(160):
        i = torch.randint(700, (64,))
        loss = F.cross_entropy(model(words[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(model, words[700:], y[700:])}


@sick(
    "UT801",
    split="late",
    module="attend",
    note="some sets are empty, so that a row of their attention is masked altogether",
    cured=(("padding = place >= sizes[:, None]", "padding = (place >= sizes[:, None]) & (place > 0)"),),
)
def attention_over_empty_sets():
    class SetSum(nn.Module):
        def __init__(self, dim=16):
            super().__init__()
            self.lift = nn.Linear(2, dim)
            self.attend = nn.MultiheadAttention(dim, 2, batch_first=True)
            self.head = nn.Sequential(nn.Linear(dim, 32), nn.ReLU(), nn.Linear(32, 1))

        def forward(self, x, padding):
            h = self.lift(x)
            a, _ = self.attend(h.mean(1, keepdim=True), h, h, key_padding_mask=padding)
            return self.head(a.squeeze(1)).squeeze(1)

    torch.manual_seed(121)
    sizes = torch.randint(0, 9, (600,))
    place = torch.arange(8)
    padding = place >= sizes[:, None]  # <- fault
    x = torch.randn(600, 8, 2) * (place < sizes[:, None]).unsqueeze(-1)
    y = x[..., 0].sum(1) / sizes.clamp(min=1) + 0.5 * x[..., 1].sum(1) / sizes.clamp(min=1)
    net = SetSum()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(200):
        i = torch.randint(500, (32,))
        loss = F.mse_loss(net(x[i], padding[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[500:], padding[500:]), y[500:]).item()}


@sick(
    "UT306",
    split="late",
    note="the scheduler is stepped and the optimizer is not",
    cured=(("            scheduler.step()", "            optimizer.step()\n            scheduler.step()"),),
)
def scheduler_stepped_alone():
    torch.manual_seed(122)
    past, future = waves(320, 20)
    loader = DataLoader(TensorDataset(past, future), batch_size=32, shuffle=True)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(nn.Conv1d(1, 8, 3), nn.GELU(), nn.Conv1d(8, 8, 3), nn.GELU())
            self.fc = nn.Linear(8 * 16, 1)

        def forward(self, x):
            return self.fc(self.conv(x.mT).flatten(1))

    model, epochs = Net(), 15
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            scheduler.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(past), future).item()}


@sick(
    "UT312",
    split="late",
    note="the two betas of Adam in the wrong order",
    cured=(("betas=(0.999, 0.9)", "betas=(0.9, 0.999)"),),
)
def speller_with_swapped_betas():
    torch.manual_seed(123)
    ids, symbols = characters("statistics")
    windows = ids.unfold(0, 7, 1)
    net = nn.Sequential(nn.Embedding(symbols, 16), nn.Flatten(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, symbols))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, betas=(0.999, 0.9))
    for step in range(250):
        w = windows[torch.randint(len(windows), (64,))]
        loss = F.cross_entropy(net(w[:, :6]), w[:, 6])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"accuracy": accuracy(net, windows[:, :6], windows[:, 6])}


@sick(
    "UT301",
    split="late",
    note="SGD at 0.6 with momentum of 0.9 for a regression on standardized columns",
    cured=(("lr=0.6", "lr=0.01"),),
)
def progression_at_three_fifths():
    torch.manual_seed(124)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 48), nn.Tanh(), nn.Linear(48, 1), nn.Flatten(0))
    opt = torch.optim.SGD(net.parameters(), lr=0.6, momentum=0.9)
    log = []
    for epoch in range(25):
        total = 0.0
        for i in torch.randperm(350).split(50):
            loss = F.smooth_l1_loss(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item()
        log.append(total / 7)
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[350:]), y[350:]).item(), "loss": log[-1]}


@sick(
    "UT505",
    split="late",
    note="one class of ten makes nine tenths of the images",
    cured=(("weight=None", "weight=1 / y[rows].bincount().float()"),),
)
def mostly_zeros_images():
    torch.manual_seed(125)
    x, y = digit_images()
    order = torch.randperm(len(x))
    zeros = [i for i in order.tolist() if y[i] == 0]
    rest = [i for i in order.tolist() if y[i] != 0]
    rows = torch.tensor(zeros[:150] * 6 + rest[:100])
    test = torch.tensor(zeros[150:] + rest[100:])
    net = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Flatten(), nn.Linear(432, 24), nn.ReLU(), nn.Linear(24, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    criterion = nn.CrossEntropyLoss(weight=None)
    for epoch in range(8):
        for i in rows[torch.randperm(len(rows))].split(50):
            loss = criterion(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    said = net(x[test]).argmax(1)
    recalls = [(said[y[test] == c] == c).float().mean() for c in range(10)]
    return {"accuracy": torch.stack(recalls).mean().item()}
