"""Losses that do not fit what the network puts out, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digit_images, digits, iris
from ..score import accuracy, hits, matches
from ..table import sick
from .data import houses, prose, tags


@sick(
    "UT401",
    module=("softmax", "net.6", ""),
    split="held",
    note="Softmax as the last layer and CrossEntropyLoss, as carried over from Keras",
    cured=(("nn.Softmax(dim=1)", "nn.Identity()"),),
)
def softmax_carried_over_from_keras():
    torch.manual_seed(0)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
        nn.Softmax(dim=1),
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT401",
    split="held",
    note="probabilities of the next letter, made for sampling, go into cross_entropy",
    cured=(("return self.out(h).softmax(-1)", "return self.out(h)"),),
)
def probabilities_made_for_sampling():
    class CharRNN(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.embed = nn.Embedding(n, 24)
            self.rnn = nn.GRU(24, 64, batch_first=True)
            self.out = nn.Linear(64, n)

        def forward(self, t):
            h, _ = self.rnn(self.embed(t))
            return self.out(h).softmax(-1)

    torch.manual_seed(1)
    text, n = prose()
    model = CharRNN(n)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(500):
        at = torch.randint(len(text) - 21, (24,))
        piece = text[at[:, None] + torch.arange(21)]
        loss = F.cross_entropy(model(piece[:, :-1]).reshape(-1, n), piece[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"accuracy": matches(model(piece[:, :-1]), piece[:, 1:])}


@sick(
    "UT401",
    split="held",
    note="sigmoid in forward and BCEWithLogitsLoss, several labels a row",
    cured=(("torch.sigmoid(self.fc2(F.relu(self.fc1(x))))", "self.fc2(F.relu(self.fc1(x)))"),),
)
def sigmoid_before_bce_with_logits():
    class MultiLabel(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(20, 64), nn.Linear(64, 12)

        def forward(self, x):
            return torch.sigmoid(self.fc2(F.relu(self.fc1(x))))

    torch.manual_seed(2)
    x, y = tags()
    model = MultiLabel()
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(60):
        for i in torch.randperm(900).split(30):
            optimizer.zero_grad()
            loss = criterion(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
    return {"error": criterion(model(x), y).item()}


@sick(
    "UT402",
    split="held",
    note="NLLLoss on raw scores: the loss runs off to minus infinity",
    cured=(("nn.NLLLoss()", "nn.CrossEntropyLoss()"),),
)
def nll_of_raw_scores():
    torch.manual_seed(3)
    x, y = iris()
    net = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 3))
    criterion = nn.NLLLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(80):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            optimizer.step()
    return {"error": F.cross_entropy(net(x), y).item()}


@sick(
    "UT402",
    split="held",
    note="a policy whose softmax was lost: log of clamped scores",
    cured=(("probs = scores.clamp(min=1e-6)", "probs = scores.softmax(1)"),),
)
def log_of_clamped_scores():
    torch.manual_seed(4)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(64):
            scores = net(x[i])
            probs = scores.clamp(min=1e-6)
            loss = -probs.log().gather(1, y[i, None]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT403",
    split="held",
    note="binary labels, one output, CrossEntropyLoss over it: the loss is 0 from the start",
    cured=(
        (
            "F.cross_entropy(model(xb), yb.float()[:, None])",
            "F.binary_cross_entropy_with_logits(model(xb), yb.float()[:, None])",
        ),
    ),
)
def cross_entropy_over_one_column():
    torch.manual_seed(5)
    x, y = cancer()
    model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(60):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb.float()[:, None])
            loss.backward()
            optimizer.step()
    return {"accuracy": hits(model.eval()(x), y)}


@sick(
    "UT404",
    split="held",
    note="prices of shape (N,) against predictions of shape (N, 1)",
    cured=(("criterion(model(x[i]), y[i])", "criterion(model(x[i]).squeeze(1), y[i])"),),
)
def prices_against_a_column():
    torch.manual_seed(6)
    x, y = houses()
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    criterion = nn.SmoothL1Loss()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.02)
    for epoch in range(50):
        for i in torch.randperm(2000).split(50):
            optimizer.zero_grad()
            loss = criterion(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
    return {"error": F.mse_loss(model(x).squeeze(1), y).item()}


@sick(
    "UT404",
    split="held",
    note="the critic's values (N, 1) minus returns (N,): advantages of shape (N, N)",
    cured=(("value = critic(state)", "value = critic(state).squeeze(1)"),),
)
def critic_against_returns():
    torch.manual_seed(7)
    actor = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3))
    critic = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=3e-3)
    weights = torch.randn(6, 3)
    for step in range(1500):
        state = torch.randn(32, 6)
        dist = torch.distributions.Categorical(logits=actor(state))
        action = dist.sample()
        gain = (state @ weights).gather(1, action[:, None]).squeeze(1) + 2 * state[:, 0]
        value = critic(state)
        advantage = gain - value
        loss = -(dist.log_prob(action) * advantage.detach()).mean() + 0.5 * advantage.pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    state = torch.randn(2000, 6)
    explained = 2 * state[:, 0] + (state @ weights).gather(1, actor(state).argmax(1, keepdim=True)).squeeze(1)
    return {"error": F.mse_loss(critic(state).squeeze(1), explained).item()}
