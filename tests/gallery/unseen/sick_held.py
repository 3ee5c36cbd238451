"""Gradients never zeroed and parameters never held, as other people might forget them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, diabetes, digit_images, digits, first_symbol
from ..score import accuracy, matches
from ..table import sick


@sick("UT303", split="unseen", note="two optimizers, one of them is never zeroed")
def one_of_two_optimizers_zeroed():
    torch.manual_seed(311)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU())
    classifier = nn.Linear(24, 10)
    opt_enc = torch.optim.SGD(encoder.parameters(), lr=0.3)
    opt_cls = torch.optim.SGD(classifier.parameters(), lr=0.1)
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=100, shuffle=True):
            opt_cls.zero_grad()
            loss = F.cross_entropy(classifier(encoder(xb)), yb)
            loss.backward()
            opt_enc.step()
            opt_cls.step()
    return {"loss": loss.item(), "accuracy": matches(classifier(encoder(x)), y)}


@sick("UT303", split="unseen", note="zeros_like makes a new tensor and leaves the gradient as it is")
def zeros_that_go_nowhere():
    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.key = nn.Linear(4, 16)
            self.weigh = nn.Linear(16, 1)
            self.value = nn.Linear(5, 16)
            self.out = nn.Linear(16, 4)

        def forward(self, seq):
            place = torch.linspace(1, 0, seq.size(1)).expand(len(seq), -1).unsqueeze(-1)
            weight = self.weigh(torch.tanh(self.key(seq) + place)).softmax(1)
            return self.out(F.relu((weight * self.value(torch.cat([seq, place], -1))).sum(1)))

    torch.manual_seed(312)
    seq, first = first_symbol(600, 3)
    model = Attend()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(300):
        for p in model.parameters():
            if p.grad is not None:
                torch.zeros_like(p.grad)
        i = torch.randint(600, (100,))
        loss = F.cross_entropy(model(seq[i]), first[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, seq, first)}


@sick("UT303", split="unseen", note="zeroed at the start of an epoch of 29 batches, not at each of them")
def zeroed_when_an_epoch_begins():
    class Res(nn.Module):
        def __init__(self, ch):
            super().__init__()
            self.conv = nn.Conv2d(ch, ch, 3, padding=1)

        def forward(self, z):
            return z + F.relu(self.conv(z))

    torch.manual_seed(313)
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), Res(8), Res(8), nn.Flatten(), nn.Linear(72, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    for epoch in range(5):
        model.train()
        opt.zero_grad()
        for xb, yb in loader:
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
        accuracy(model, x, y)
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick(
    "UT304",
    module=("body", "body.0", "body.2", ""),
    split="unseen",
    note="a generator of parameters used up by counting them",
)
def generator_used_up():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 5), nn.ReLU())
            self.head = nn.Linear(5, 10)

        def forward(self, x):
            return self.head(self.body(x))

    torch.manual_seed(314)
    x, y = digits()
    net = Net()
    body, head = net.body.parameters(), net.head.parameters()
    count = sum(p.numel() for p in body)
    groups = [{"params": body, "lr": 0.02}, {"params": head, "lr": 0.05}]
    opt = torch.optim.SGD(groups, lr=0.02, momentum=0.9)
    for _ in range(250):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y), "weights": count}


@sick(
    "UT304",
    module=("hidden", ""),
    split="unseen",
    note="weights initialised by new Parameters after the optimizer was made",
)
def initialised_after_the_optimizer():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Linear(10, 3)
            self.norm = nn.LayerNorm(3)
            self.final = nn.Linear(3, 1)

        def forward(self, x):
            return self.final(F.relu(self.norm(self.hidden(x)))).flatten()

    def init_weights(network):
        network.hidden.weight = nn.Parameter(torch.randn(3, 10) / 10**0.5)
        network.hidden.bias = nn.Parameter(torch.zeros(3))

    torch.manual_seed(315)
    x, y = diabetes()
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    init_weights(network)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss = F.mse_loss(network(x[i]), y[i])
            loss.backward()
            optimizer.step()
    return {"loss": F.mse_loss(network(x), y).item()}


@sick(
    "UT304",
    module=("embed", "tokens", "gru", ""),
    split="unseen",
    note="split by name into decayed and not; one list is forgotten",
)
def forgotten_group():
    class LanguageModel(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding(vocab, 6)
            self.gru = nn.GRU(6, 24, batch_first=True)
            self.out = nn.Linear(24, vocab)

        def forward(self, idx):
            return self.out(self.gru(self.embed(idx))[0])

    torch.manual_seed(316)
    ids, vocab = characters()
    model = LanguageModel(vocab)
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        (plain if name.startswith(("embed", "gru")) or name.endswith("bias") else decayed).append(parameter)
    opt = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}], lr=5e-3)
    windows = ids.unfold(0, 17, 3)
    for _ in range(200):
        w = windows[torch.randint(len(windows), (32,))]
        loss = F.cross_entropy(model(w[:, :-1]).transpose(1, 2), w[:, 1:])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "held": len(decayed), "forgotten": len(plain)}
