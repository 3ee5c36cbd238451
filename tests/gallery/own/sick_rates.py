"""Learning rates far too high and far too low."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, diabetes, digit_images, digits, first_symbol, iris, moons, regression, waves, wine
from ..score import accuracy
from ..table import sick


def mlp(*sizes, act=nn.ReLU):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1])


@sick("UT301", split="build", note="SGD at 10")
def sgd_at_ten():
    torch.manual_seed(0)
    x, y = digits()
    model = mlp(64, 64, 32, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=10.0)
    for _ in range(120):
        i = torch.randint(len(x), (128,))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT301", split="judge", note="Adam at 0.3 for a CNN")
def adam_cnn_at_a_third():
    torch.manual_seed(1)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(64, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(5):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT301", split="build", note="plain regression that diverges to infinity")
def linear_regression_diverges():
    torch.manual_seed(2)
    x, y = diabetes()
    w = torch.zeros(10, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    opt = torch.optim.SGD([w, b], lr=0.6)
    for _ in range(120):
        loss = ((x @ w + b - y) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT312", split="judge", note="a momentum of 0.99 makes 0.3 too much")
def momentum_overshoots():
    torch.manual_seed(3)
    x, y = regression()
    model = mlp(10, 32, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.99)
    for _ in range(150):
        pred = model(x).squeeze(-1)
        loss = F.mse_loss(pred, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT301", split="build", note="Adam at 1 for a character transformer")
def transformer_at_one():
    class CharTransformer(nn.Module):
        def __init__(self, vocab, dim=24, context=12):
            super().__init__()
            self.tokens = nn.Embedding(vocab, dim)
            self.places = nn.Embedding(context, dim)
            layer = nn.TransformerEncoderLayer(dim, 2, 48, dropout=0.0, batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(dim, vocab)
            self.mask = nn.Transformer.generate_square_subsequent_mask(context)

        def forward(self, x):
            h = self.tokens(x) + self.places(torch.arange(x.size(1)))
            return self.head(self.encoder(h, mask=self.mask, is_causal=True))

    torch.manual_seed(4)
    ids, vocab = characters()
    pieces = ids.unfold(0, 13, 1)
    model = CharTransformer(vocab)
    opt = torch.optim.Adam(model.parameters(), lr=1.0)
    for _ in range(100):
        piece = pieces[torch.randint(len(pieces), (32,))]
        loss = F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT301", split="judge", note="RMSprop at 0.5 for an LSTM")
def rmsprop_lstm():
    torch.manual_seed(5)
    x, y = waves(256, 20)
    lstm, fc = nn.LSTM(1, 16, batch_first=True), nn.Linear(16, 1)
    opt = torch.optim.RMSprop([*lstm.parameters(), *fc.parameters()], lr=0.5)
    for _ in range(100):
        out, _ = lstm(x)
        loss = F.mse_loss(fc(out[:, -1]), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT301", split="build", note="fine-tuning that destroys what was learned")
def finetune_at_three():
    torch.manual_seed(6)
    x, y = digits()
    old, new = y < 5, y >= 5
    net = mlp(64, 48, 48, 10)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(80):
        opt.zero_grad()
        F.cross_entropy(net(x[old]), y[old]).backward()
        opt.step()
    opt = torch.optim.SGD(net.parameters(), lr=3.0, momentum=0.9)
    for _ in range(80):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[new]), y[new])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x[new], y[new])}


@sick("UT301", split="judge", note="warm-up to a rate that is far too high")
def warms_up_too_far():
    torch.manual_seed(7)
    x, y = digits()
    model = mlp(64, 32, 32, 10, act=nn.Tanh)
    opt = torch.optim.AdamW(model.parameters(), lr=1.0)
    schedule = lr_scheduler.LambdaLR(opt, lambda step: min(1.0, step / 50))
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        schedule.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT301", split="build", note="Adagrad at 5, bounces without diverging")
def adagrad_at_five():
    torch.manual_seed(8)
    x, y = wine()
    model = mlp(13, 24, 24, 24, 3, act=nn.Sigmoid)
    opt = torch.optim.Adagrad(model.parameters(), lr=5.0)
    for _ in range(100):
        i = torch.randperm(178)[:32]
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT302", split="build", note="Adam at 1e-7")
def adam_at_a_ten_millionth():
    torch.manual_seed(10)
    x, y = digits()
    model = mlp(64, 64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-7)
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT302", split="judge", note="SGD at 1e-5")
def sgd_cnn_creeps():
    torch.manual_seed(11)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))
    opt = torch.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT302", split="build", note="the rate is halved at every step, not at every epoch")
def decays_by_step_not_epoch():
    torch.manual_seed(12)
    x, y = moons()
    model = mlp(2, 32, 32, 2)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.StepLR(opt, step_size=1, gamma=0.5)
    for epoch in range(25):
        for i in torch.randperm(500).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
            scheduler.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT302", split="judge", note="a warm-up meant for a run a thousand times longer")
def warm_up_never_ends():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(4, 24, batch_first=True)
            self.fc = nn.Linear(24, 4)

        def forward(self, x):
            return self.fc(self.gru(x)[0][:, -1])

    torch.manual_seed(13)
    x, y = first_symbol(1000, 6)
    model = Tagger()
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    warmup = lr_scheduler.LambdaLR(opt, lambda step: min(1.0, (step + 1) / 1_000_000))
    for _ in range(150):
        i = torch.randint(1000, (100,))
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        opt.step()
        opt.zero_grad()
        warmup.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT302", split="build", note="Adadelta at Adam's usual rate")
def adadelta_at_a_thousandth():
    torch.manual_seed(14)
    x, y = regression()
    model = mlp(10, 24, 1)
    opt = torch.optim.Adadelta(model.parameters(), lr=1e-3)
    for _ in range(200):
        opt.zero_grad()
        loss = F.mse_loss(model(x), y[:, None])
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT302", split="judge", note="Adagrad at 1e-5 over an embedding")
def adagrad_bigram_creeps():
    torch.manual_seed(15)
    ids, vocab = characters("statistics")
    model = nn.Sequential(nn.Embedding(vocab, 24), nn.Tanh(), nn.Linear(24, vocab))
    opt = torch.optim.Adagrad(model.parameters(), lr=1e-5)
    for _ in range(120):
        i = torch.randint(len(ids) - 1, (256,))
        loss = F.cross_entropy(model(ids[i]), ids[i + 1])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT302", split="build", note="a mean over everything and an SGD rate of 1e-4")
def sgd_deep_tanh_creeps():
    torch.manual_seed(16)
    x, y = iris()
    model = mlp(4, 32, 32, 32, 3, act=nn.Tanh)
    before = copy.deepcopy(model.state_dict())
    opt = torch.optim.SGD(model.parameters(), lr=1e-4)
    for _ in range(200):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    moved = (model[0].weight - before["0.weight"]).norm()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y), "moved": moved.item()}
