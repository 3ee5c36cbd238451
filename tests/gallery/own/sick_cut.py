"""Gradients that are cut in the middle of the forward."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import adding, characters, digit_images, digits, iris, moons, waves
from ..score import accuracy, matches
from ..table import sick


@sick("UT103", module=("encoder", "encoder.0", "encoder.2", ""), split="build")
def detached_encoder():
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
            self.head = nn.Sequential(nn.ReLU(), nn.Linear(4, 10))

        def forward(self, x):
            features = self.encoder(x).detach()  # <- fault
            return self.head(features)

    torch.manual_seed(0)
    x, y = digits()
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT103", module=("conv", "conv.0", "conv.3", ""), split="judge")
def features_by_data():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(
                nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3), nn.ReLU(), nn.Flatten()
            )
            self.fc = nn.Linear(6, 10)

        def forward(self, x):
            x = self.conv(x)
            x = self.fc(x.data)  # <- fault
            return F.log_softmax(x, dim=1)

    torch.manual_seed(1)
    x, y = digit_images()
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(5):
        for xb, yb in loader:
            opt.zero_grad()
            loss = F.nll_loss(net(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT103", module=("lower", "lower.0", "lower.2", ""), split="build")
def numpy_round_trip():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lower = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
            self.upper = nn.Linear(2, 2)

        def forward(self, x):
            h = self.lower(x).detach().numpy()  # <- fault
            h = (h - h.mean(0)) / h.std(0)
            return self.upper(torch.from_numpy(h))

    torch.manual_seed(2)
    x, y = moons(400)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    criterion = nn.CrossEntropyLoss()
    for _ in range(200):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT103", module=("gru", ""), split="judge")
def encoder_in_no_grad():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(2, 24, batch_first=True)
            self.fc = nn.Linear(24, 1)

        def forward(self, x):
            with torch.no_grad():
                _, h = self.gru(x)  # <- fault
            return self.fc(h[-1])

    torch.manual_seed(3)
    x, y = adding(512, 10)
    model = Forecaster()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, 100, 0.5)
    for _ in range(200):
        i = torch.randint(512, (128,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        scheduler.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@sick("UT103", module=("draft", "embed", ""), split="build", note="argmax feeds an embedding")
def argmax_between_models():
    class TwoStage(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.draft = nn.Linear(16, vocab)
            self.refine = nn.Embedding(vocab, 16)
            self.out = nn.Linear(16, vocab)

        def forward(self, tokens):
            guess = self.draft(self.embed(tokens)).argmax(-1)  # <- fault
            return self.out(self.refine(guess))

    torch.manual_seed(4)
    ids, vocab = characters()
    x, y = ids[:-1], ids[1:]
    model = TwoStage(vocab)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT103", module=("enc", "enc.0", "enc.2", ""), split="judge", note="rounding has derivative 0")
def rounded_codes():
    class Codec(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 6))
            self.dec = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())

        def forward(self, x):
            code = torch.round(4 * self.enc(x)) / 4  # <- fault
            return self.dec(code)

    torch.manual_seed(5)
    x, _ = digits()
    model = Codec()
    opt = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    for _ in range(200):
        batch = x[torch.randperm(len(x))[:256]]
        loss = F.binary_cross_entropy(model(batch), batch)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT103", module=("fc1", "fc2", ""), split="build", note="a new tensor made of an old one")
def tensor_made_anew():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(4, 8)
            self.fc2 = nn.Linear(8, 1)
            self.fc3 = nn.Linear(1, 3)

        def forward(self, x):
            x = torch.relu(self.fc1(x))
            x = self.fc2(x)
            x = torch.tensor(x.tolist())  # <- fault
            return self.fc3(x)

    torch.manual_seed(6)
    x, y = iris()
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(20):
        for i in torch.randperm(150).split(15):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT103", module=("hidden", "hidden.0", "hidden.2", ""), split="judge", note="a step function as activation")
def hard_threshold():
    class Binary(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
            self.out = nn.Linear(10, 10)

        def forward(self, x):
            bits = (self.hidden(x) > 0).float()  # <- fault
            return self.out(bits)

    torch.manual_seed(7)
    x, y = digits()
    net = Binary()
    opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    for _ in range(150):
        opt.zero_grad()
        scores = net(x)
        loss = F.cross_entropy(scores, y, label_smoothing=0.05)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, y)}


@sick("UT103", module=("cell", ""), split="build", note="state detached at every step, not between chunks")
def state_detached_every_step():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(2, 16)
            self.fc = nn.Linear(16, 1)

        def forward(self, x):
            h = torch.zeros(x.size(0), 16)
            for t in range(x.size(1)):
                h = self.cell(x[:, t], h.detach())  # <- fault
            return self.fc(h)

    torch.manual_seed(8)
    x, y = adding(512, 10)
    model = Counter()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        i = torch.randint(512, (128,))
        opt.zero_grad()
        loss = F.smooth_l1_loss(model(x[i]), y[i])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return {"loss": loss.item()}


@sick(
    "UT103", module=("backbone", "backbone.0", "backbone.2", ""), split="judge", note="torch.no_grad left on a method"
)
def decorated_with_no_grad():
    class Forecast(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = nn.Sequential(nn.Conv1d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv1d(8, 2, 5, stride=4))
            self.head = nn.LazyLinear(1)

        @torch.no_grad()
        def features(self, x):
            return self.backbone(x).mean(-1)  # <- fault

        def forward(self, x):
            return self.head(self.features(x))

    torch.manual_seed(9)
    x, y = waves()
    x = x.transpose(1, 2)
    model = Forecast()
    model(x)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        loss = F.mse_loss(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}
