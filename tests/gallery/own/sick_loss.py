"""Losses that meet an activation twice, or not at all."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, characters, digit_images, digits, first_symbol, iris, moons, wine
from ..score import accuracy, hits, matches
from ..table import sick


@sick("UT401", module=("5", ""), split="build")
def softmax_before_cross_entropy():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), nn.Softmax(dim=1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT401", module=None, split="judge", note="functional softmax at the end of a CNN")
def cnn_returns_probabilities():
    class CNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 8, 3)
            self.conv2 = nn.Conv2d(8, 16, 3)
            self.fc = nn.Linear(16 * 16, 10)

        def forward(self, x):
            x = F.relu(self.conv1(x))
            x = F.relu(self.conv2(x))
            return F.softmax(self.fc(x.flatten(1)), dim=-1)

    torch.manual_seed(1)
    x, y = digit_images()
    model = CNN()
    opt = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(120):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT401", module=("3", ""), split="build", note="Adam hides most of the harm")
def softmax_hidden_by_adam():
    torch.manual_seed(2)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 20), nn.Tanh(), nn.Linear(20, 3), nn.Softmax(-1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(100):
        loss = nn.CrossEntropyLoss()(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT401", module=("4", ""), split="judge", note="sigmoid before BCEWithLogitsLoss")
def sigmoid_before_logits_loss():
    torch.manual_seed(3)
    x, y = cancer()
    target = y.float().unsqueeze(1)
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1), nn.Sigmoid())
    criterion = nn.BCEWithLogitsLoss()
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = criterion(model(x[i]), target[i])
            loss.backward()
            opt.step()
    model.eval()
    return {"loss": loss.item(), "accuracy": hits(model(x), y, 0.5)}


@sick("UT401", module=None, split="build", note="torch.sigmoid before the functional loss")
def moons_sigmoid_twice():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 24)
            self.b = nn.Linear(24, 1)

        def forward(self, x):
            return torch.sigmoid(self.b(F.relu(self.a(x))))

    torch.manual_seed(4)
    x, y = moons()
    net = Net()
    opt = torch.optim.RMSprop(net.parameters(), lr=5e-3)
    for _ in range(150):
        prob = net(x).squeeze(1)
        loss = F.binary_cross_entropy_with_logits(prob, y.float())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(prob, y, 0.5)}


@sick("UT401", module=("softmax", ""), split="judge", note="an LSTM classifier")
def lstm_with_softmax():
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(4, 24, batch_first=True)
            self.fc = nn.Linear(24, 4)
            self.softmax = nn.Softmax(dim=1)

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.softmax(self.fc(out[:, -1, :]))

    torch.manual_seed(5)
    x, y = first_symbol(1000, 5)
    model = Classifier()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(120):
        i = torch.randint(1000, (100,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT401", module=None, split="build", note="probabilities over a vocabulary")
def bigram_with_softmax():
    torch.manual_seed(6)
    ids, vocab = characters()
    embed, out = nn.Embedding(vocab, 24), nn.Linear(24, vocab)
    opt = torch.optim.AdamW([*embed.parameters(), *out.parameters()], lr=0.01)
    for _ in range(150):
        i = torch.randint(len(ids) - 1, (256,))
        probs = torch.softmax(out(embed(ids[i])), -1)
        loss = F.cross_entropy(probs, ids[i + 1])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(probs, ids[i + 1])}


@sick("UT401", module=("head.1", "head", ""), split="judge", note="many labels at once")
def multilabel_sigmoid_twice():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
            self.head = nn.Sequential(nn.Linear(48, 10), nn.Sigmoid())

        def forward(self, x):
            return self.head(self.body(x))

    torch.manual_seed(7)
    x, y = digits()
    labels = F.one_hot(y, 10).float()
    model = Tagger()
    opt = torch.optim.SGD(model.parameters(), lr=0.5)
    loss_fn = nn.BCEWithLogitsLoss(reduction="mean")
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        loss = loss_fn(model(x[i]), labels[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT402", module=None, split="build", note="NLLLoss on raw scores")
def nll_on_scores():
    torch.manual_seed(10)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    criterion = nn.NLLLoss()
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        optimizer.zero_grad()
        loss = criterion(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT402", module=None, split="judge", note="NLLLoss on softmax probabilities")
def nll_on_probabilities():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(4, 16)
            self.fc2 = nn.Linear(16, 3)

        def forward(self, x):
            return F.softmax(self.fc2(torch.relu(self.fc1(x))), dim=1)

    torch.manual_seed(11)
    x, y = iris()
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.02)
    for _ in range(100):
        loss = F.nll_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT402", module=None, split="build", note="BCELoss fed by a clamp")
def bce_on_clamped_scores():
    torch.manual_seed(12)
    x, y = moons()
    net = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    criterion = nn.BCELoss()
    for _ in range(150):
        prob = net(x).squeeze(1).clamp(0, 1)
        loss = criterion(prob, y.float())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(prob, y, 0.5)}


@sick("UT402", module=("clip", "net", ""), split="judge", note="BCELoss fed by a rectifier cut at 1")
def bce_on_rectified_scores():
    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 1))
            self.clip = nn.Hardtanh(0.0, 1.0)

        def forward(self, x):
            return self.clip(self.net(x))

    torch.manual_seed(13)
    x, y = cancer()
    target = y.float()[:, None]
    model = Detector()
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(15):
        for xb, yb in DataLoader(TensorDataset(x, target), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.binary_cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), y, 0.5)}
