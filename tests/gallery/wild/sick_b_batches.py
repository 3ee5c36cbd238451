"""Batches, modes and schedules that keep a net from learning."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy
from ..table import sick
from .data_b import picture, sessions, strings, votes


@sick(
    "UT505",
    split="wild",
    note="one session in thirty is a fraud, and all count the same",
    cured=(("weight=torch.tensor([1.0, 1.0])", "weight=torch.tensor([1.0, 29.0])"),),
)
def fraud_among_many_sessions():
    torch.manual_seed(81)
    x = torch.randn(3000, 12, 4)
    fraud = torch.rand(3000) < 1 / 30
    x[:, :, 0] += 0.28 * fraud[:, None]
    x[:, :, 2] -= 0.28 * fraud[:, None]
    y = fraud.long()

    class Watcher(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.out = nn.GRU(4, 12, batch_first=True), nn.Linear(12, 2)

        def forward(self, x):
            return self.out(self.gru(x)[0].mean(1))

    net = Watcher()
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 1.0]))  # <- fault
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.05)
    for _ in range(5):
        for i in torch.randperm(2000).split(64):
            opt.zero_grad()
            criterion(net(x[i]), y[i]).backward()
            opt.step()
    with torch.no_grad():
        guess, truth = net(x[2000:]).argmax(1), y[2000:]
    recall = [(guess[truth == k] == k).float().mean().item() for k in (0, 1)]
    return {"accuracy": sum(recall) / 2, "caught": recall[1]}


@sick(
    "UT506",
    split="wild",
    note="next(iter(loader)) once, before the loop: one batch of 32 for the whole training",
    cured=(("        opt.zero_grad()", "        x, y = next(iter(loader)); opt.zero_grad()"),),
)
def transformer_of_one_batch():
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.Linear(8, 32)
            self.place = nn.Parameter(0.1 * torch.randn(8, 32))
            self.layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
            self.head = nn.Linear(256, 10)

        def forward(self, x):
            return self.head(self.layer(self.up(x.squeeze(1)) + self.place).flatten(1))

    torch.manual_seed(82)
    images, labels = digit_images()
    loader = DataLoader(TensorDataset(images[:1500], labels[:1500]), batch_size=32, shuffle=True)
    net = Rows()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    x, y = next(iter(loader))
    for _ in range(250):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, images[1500:], labels[1500:]), "loss": loss.item()}


@sick(
    "UT507",
    split="wild",
    note="digits sorted by class, and a loader that does not shuffle",
    cured=(("shuffle=False", "shuffle=True"),),
)
def prototypes_in_class_order():
    class Sorted(Dataset):
        def __init__(self):
            x, y = digits()
            order = y[:1500].argsort(stable=True)
            self.x, self.y = x[order], y[order]

        def __len__(self):
            return len(self.x)

        def __getitem__(self, k):
            return self.x[k], self.y[k]

    class Prototypes(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))
            self.centre = nn.Parameter(0.3 * torch.randn(10, 16))

        def forward(self, x):
            return -torch.cdist(self.body(x), self.centre).square()

    torch.manual_seed(83)
    net = Prototypes()
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for _ in range(6):
        for x, y in DataLoader(Sorted(), batch_size=50, shuffle=False):  # <- fault
            opt.zero_grad()
            F.cross_entropy(net(x), y).backward()
            opt.step()
    x, y = digits()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}


@sick(
    "UT601",
    split="wild",
    note="eval() is called before the first epoch to look at the loss, and train() never again",
    cured=(("    for _ in range(8):", "    for _ in range(8):\n        net.train()"),),
)
def norms_left_in_eval():
    torch.manual_seed(84)
    at, light = picture()
    at, light = 40 + 25 * at, light
    train = torch.randperm(len(at))[:800]

    def block(a, b):
        return [nn.Linear(a, b, bias=False), nn.BatchNorm1d(b), nn.ReLU()]

    net = nn.Sequential(*block(2, 64), *block(64, 64), *block(64, 64), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    net.eval()
    with torch.no_grad():
        before = F.mse_loss(net(at), light).item()
    for _ in range(8):
        for i in train[torch.randperm(800)].split(50):
            loss = F.mse_loss(net(at[i]), light[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    net.eval()
    with torch.no_grad():
        return {"error": F.mse_loss(net(at), light).item(), "before": before}


@sick(
    "UT602",
    split="wild",
    module="norm",
    note="batch norm over batches of two",
    cured=(("split(2)[:66]", "split(32)"),),
)
def graph_readout_normed_over_two():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 24)
            self.up = nn.Linear(24, 48)
            self.norm = nn.BatchNorm1d(48)
            self.out = nn.Linear(48, 8)

        def forward(self, ids):
            return self.out(torch.relu(self.norm(self.up(self.embed(ids).mean(1)))))

    torch.manual_seed(85)
    ids = strings(1500, 5)
    most = F.one_hot(ids, 9).sum(1)[:, 1:].argmax(1)
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(12):
        net.train()
        for i in torch.randperm(1200).split(2)[:66]:
            opt.zero_grad()
            F.cross_entropy(net(ids[i]), most[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, ids[1200:], most[1200:])}


@sick(
    "UT603",
    split="wild",
    note="dropout of 0.95 between the layers of a sequence model",
    cured=(("dropout=0.95", "dropout=0.1"),),
)
def sessions_drowned_in_dropout():
    class Mixer(nn.Module):
        def __init__(self, dim=32, dropout=0.0):
            super().__init__()
            self.item, self.drop = nn.Embedding(30, dim), nn.Dropout(dropout)
            self.gru = nn.GRU(dim, dim, num_layers=2, batch_first=True, dropout=dropout)
            self.out = nn.Linear(dim, 30)

        def forward(self, seen):
            return self.out(self.drop(self.gru(self.drop(self.item(seen)))[0][:, -1]))

    torch.manual_seed(86)
    seen, following = sessions()
    net = Mixer(dropout=0.95)  # <- fault
    opt = torch.optim.NAdam(net.parameters(), lr=4e-3)
    for _ in range(10):
        net.train()
        for i in torch.randperm(1000).split(50):
            opt.zero_grad()
            F.cross_entropy(net(seen[i]), following[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, seen[1000:], following[1000:])}


@sick(
    "UT604",
    split="wild",
    note="gradients of 16 small batches are added up and not divided by 16, under momentum",
    cured=(("loss.backward()", "(loss / 16).backward()"),),
)
def accumulated_votes_undivided():
    class Attend(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.embed = nn.Embedding(6, dim)
            self.block = nn.TransformerEncoderLayer(dim, 4, 64, 0.0, batch_first=True)
            self.out = nn.Linear(dim, 2)

        def forward(self, ids):
            return self.out(self.block(self.embed(ids)).mean(1))

    torch.manual_seed(87)
    ids, y = votes()
    net = Attend()
    opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    for epoch in range(12):
        for k, i in enumerate(torch.randperm(640).split(8)):
            loss = F.cross_entropy(net(ids[i]), y[i])
            loss.backward()  # <- fault
            if k % 16 == 15:
                opt.step()
                opt.zero_grad()
    return {"accuracy": accuracy(net, ids[640:], y[640:]), "loss": loss.item()}
