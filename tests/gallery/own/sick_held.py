"""Parameters that no optimizer holds, or that the model has lost."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import adding, characters, diabetes, digit_images, digits, iris, moons, waves
from ..score import accuracy
from ..table import sick


@sick("UT304", module="", split="build", note="a list of layers instead of nn.ModuleList")
def layers_in_a_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(64, 16), nn.Linear(16, 6)]
            self.out = nn.Linear(6, 10)

        def forward(self, x):
            for layer in self.layers:
                x = F.relu(layer(x))
            return self.out(x)

    torch.manual_seed(0)
    x, y = digits()
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(250):
        i = torch.randint(len(x), (256,))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT304", module=("", "0", "2", "4"), split="judge", note="the model is built anew after the optimizer")
def rebuilt_after_optimizer():
    def build():
        return nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))

    torch.manual_seed(1)
    x, y = moons()
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model = build()
    for _ in range(150):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT304", module="fc", split="build", note="the head is replaced after the optimizer was made")
def head_replaced_late():
    class CNN(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, stride=2)
            self.fc = nn.Linear(36, classes)

        def forward(self, x):
            return self.fc(F.relu(self.conv(x)).flatten(1))

    torch.manual_seed(2)
    x, y = digit_images()
    model = CNN(1000)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    model.fc = nn.Linear(36, 10)
    for epoch in range(5):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT304", module=("", "encoder"), split="judge", note="only the decoder is passed; the encoder is at random")
def encoder_not_passed():
    class AutoEncoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4), nn.ReLU())
            self.decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 64))

        def forward(self, x):
            return self.decoder(self.encoder(x))

    torch.manual_seed(3)
    x, _ = digits()
    model = AutoEncoder()
    opt = torch.optim.AdamW(model.decoder.parameters(), lr=3e-3)
    for _ in range(200):
        i = torch.randperm(len(x))[:128]
        loss = F.mse_loss(model(x[i]), x[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": x.var(0).mean().item()}


@sick("UT304", module="", split="build", note="a plain tensor where nn.Parameter was meant")
def tensor_instead_of_parameter():
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = (torch.randn(10, 6) * 0.1).requires_grad_()
            self.out = nn.Linear(6, 1)

        def forward(self, x):
            return self.out(torch.tanh(x @ self.weight)).squeeze(1)

    torch.manual_seed(4)
    x, y = diabetes()
    model = Mixer()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    for _ in range(150):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item()}


@sick("UT304", module="cell", split="judge", note="recurrent cell forgotten in a joined list")
def cell_forgotten():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.project = nn.Linear(2, 8)
            self.cell = nn.GRUCell(8, 12)
            self.readout = nn.Linear(12, 1)

        def forward(self, x):
            h = x.new_zeros(x.size(0), 12)
            for step in x.unbind(1):
                h = self.cell(self.project(step), h)
            return self.readout(h)

    torch.manual_seed(5)
    x, y = adding(400, 10)
    model = Model()
    params = list(model.project.parameters()) + list(model.readout.parameters())
    opt = torch.optim.Adam(params, lr=0.01)
    for _ in range(120):
        i = torch.randint(400, (100,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@sick("UT304", module=("", "fc"), split="build", note="a layer made in the first forward, after the optimizer")
def layer_made_in_forward():
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 1, 9, stride=8)
            self.fc = None

        def forward(self, x):
            h = torch.relu(self.conv(x)).flatten(1)
            if self.fc is None:
                self.fc = nn.Linear(h.size(1), 1)
            return self.fc(h)

    torch.manual_seed(6)
    x, y = waves()
    x = x.transpose(1, 2)
    model = Lazy()
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        loss = F.mse_loss(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT304", module=("", "0", "2"), split="judge", note="a copy is trained, the optimizer holds the original")
def copy_is_trained():
    torch.manual_seed(7)
    x, y = iris()
    base = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.Adagrad(base.parameters(), lr=0.1)
    model = copy.deepcopy(base)
    for _ in range(100):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT304", module=("",), split="build", note="branches held in a dict")
def branches_in_a_dict():
    class Branched(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embeddings = {place: nn.Embedding(vocab, 4) for place in range(3)}
            self.merge = nn.Linear(12, vocab)

        def forward(self, x):
            parts = [embed(x[:, place]) for place, embed in self.embeddings.items()]
            return self.merge(torch.cat(parts, 1))

    torch.manual_seed(8)
    ids, vocab = characters("heapq")
    windows = ids.unfold(0, 4, 1)
    model = Branched(vocab)
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        w = windows[torch.randint(len(windows), (128,))]
        loss = F.cross_entropy(model(w[:, :3]), w[:, 3])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, windows[:, :3], windows[:, 3])}
