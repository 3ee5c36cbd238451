"""Losses given the wrong thing, too little, too much, or with the wrong sign."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digit_images, digits, iris, wine
from ..score import accuracy, hits, matches
from ..table import sick
from .data_a import bent, clicks, emblems, fabrics, loans, plant, scaled_houses


@sick(
    "UT401",
    split="blind",
    note="nn.Softmax as the last layer of a CNN, before CrossEntropyLoss",
    cured=(("nn.Softmax(dim=1)", "nn.Identity()"),),
)
def class_probabilities_of_emblems():
    torch.manual_seed(1)
    x, y = emblems()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 4),
        nn.Softmax(dim=1),
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(10):
        for inputs, labels in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT401",
    split="blind",
    note="a sigmoid before binary_cross_entropy_with_logits, on few positives",
    cured=(("torch.sigmoid(self.out(h))", "self.out(h)"), ("scores - 0.5", "scores")),
)
def who_will_not_pay():
    class Scorer(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = nn.Linear(8, 32), nn.Linear(32, 1)

        def forward(self, x):
            h = F.elu(self.hidden(x))
            return torch.sigmoid(self.out(h)).squeeze(1)

    torch.manual_seed(2)
    x, y = loans(share=0.2)
    net = Scorer()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(60):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i]), y[i].float()).backward()
            opt.step()
    scores = net(x)
    return {"error": 1 - hits(scores - 0.5, y)}


@sick(
    "UT401",
    split="blind",
    note="one of two losses is a cross-entropy over probabilities",
    cured=(("head(h).softmax(-1)", "head(h)"),),
)
def state_and_yield_together():
    torch.manual_seed(3)
    x, made, state = plant()
    trunk, head, value = nn.Sequential(nn.Linear(6, 32), nn.ReLU()), nn.Linear(32, 3), nn.Linear(32, 1)
    opt = torch.optim.SGD([*trunk.parameters(), *head.parameters(), *value.parameters()], lr=0.1)
    for epoch in range(30):
        for i in torch.randperm(700).split(35):
            h = trunk(x[i])
            loss = F.cross_entropy(head(h).softmax(-1), state[i]) + F.mse_loss(value(h), made[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(head(trunk(x)), state)}


@sick(
    "UT402",
    split="blind",
    note="NLLLoss is given raw scores",
    cured=(("return self.fc2(", "return F.log_softmax(self.fc2("), ("self.fc1(x)))", "self.fc1(x))), dim=1)")),
)
def nll_for_a_notebook():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(13, 32), nn.Linear(32, 3)

        def forward(self, x):
            return self.fc2(F.relu(self.fc1(x)))

    torch.manual_seed(4)
    x, y = wine()
    net, criterion = Net(), nn.NLLLoss()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(16):
            opt.zero_grad()
            criterion(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT402",
    split="blind",
    note="NLLLoss is given probabilities: their logarithm is missing",
    cured=(("F.softmax(logits, dim=1)", "F.log_softmax(logits, dim=1)"),),
)
def images_by_their_likelihood():
    torch.manual_seed(5)
    x, y = digit_images()
    conv = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Tanh(), nn.Conv2d(8, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(128, 10))
    opt = torch.optim.SGD(conv.parameters(), lr=0.03, momentum=0.9)
    for epoch in range(6):
        for i in torch.randperm(len(x)).split(64):
            logits = conv(x[i])
            loss = F.nll_loss(F.softmax(logits, dim=1), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(conv(x), y)}


@sick(
    "UT402",
    split="blind",
    note="a student's probabilities, not their logarithms, go to kl_div",
    cured=(("student(x[i]).softmax(1)", "student(x[i]).log_softmax(1)"),),
)
def student_of_a_forest():
    torch.manual_seed(6)
    x, y = iris()
    centres = torch.stack([x[y == k].mean(0) for k in range(3)])
    teacher = (-3 * torch.cdist(x, centres)).softmax(1)
    student = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    opt = torch.optim.Adam(student.parameters(), lr=1e-2)
    for epoch in range(30):
        for i in torch.randperm(150).split(15):
            loss = F.kl_div(student(x[i]).softmax(1), teacher[i], reduction="batchmean")
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.kl_div(student(x).log_softmax(1), teacher, reduction="batchmean").item()}


@sick(
    "UT403",
    split="blind",
    note="a softmax over one output, and binary cross-entropy",
    cured=(("nn.Softmax(dim=-1)", "nn.Sigmoid()"),),
)
def benign_or_not():
    torch.manual_seed(7)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Softmax(dim=-1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(x, y.float()), batch_size=32, shuffle=True):
            opt.zero_grad()
            F.binary_cross_entropy(net(xb).squeeze(1), yb).backward()
            opt.step()
    return {"error": F.binary_cross_entropy(net(x).squeeze(1), y.float()).clamp(max=50).item()}


@sick(
    "UT403",
    split="blind",
    note="CrossEntropyLoss over a single score for a yes-or-no question",
    cured=(("nn.CrossEntropyLoss()", "nn.BCEWithLogitsLoss()"),),
)
def click_or_no_click():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.tables = nn.ModuleList(nn.Embedding(n, 8) for n in (50, 40, 4))
            self.fc = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 1))

        def forward(self, i):
            return self.fc(torch.cat([table(i[:, k]) for k, table in enumerate(self.tables)], 1))

    torch.manual_seed(8)
    x, y = clicks()
    net, criterion = Net(), nn.CrossEntropyLoss()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(10):
        for i in torch.randperm(2000).split(50):
            opt.zero_grad()
            criterion(net(x[i]), y[i][:, None]).backward()
            opt.step()
    return {"accuracy": hits(net(x), y)}


@sick(
    "UT407",
    split="blind",
    note="reduction='sum' with a rate for means",
    cured=(('nn.MSELoss(reduction="sum")', "nn.MSELoss()"),),
)
def sum_of_squares_for_prices():
    torch.manual_seed(9)
    x, y = scaled_houses()
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    criterion = nn.MSELoss(reduction="sum")
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for epoch in range(20):
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            criterion(net(x[i]), y[i, None]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y[:, None]).item()}


@sick(
    "UT407",
    split="blind",
    note="errors of all pixels and examples are summed for an autoencoder under SGD",
    cured=((".sum()\n", ".mean()\n"),),
)
def fabrics_woven_again():
    torch.manual_seed(10)
    x, _ = fabrics()
    x = (x - 0.5) * 4
    net = nn.Sequential(
        nn.Conv2d(3, 12, 3, 2, 1), nn.Tanh(), nn.Conv2d(12, 12, 3, 1, 1), nn.Tanh(), nn.ConvTranspose2d(12, 3, 4, 2, 1)
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.2)
    for epoch in range(15):
        for i in torch.randperm(600).split(20):
            opt.zero_grad()
            loss = (net(x[i]) - x[i]).pow(2).sum()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1000.0)
            opt.step()
    return {"error": F.mse_loss(net(x), x).item()}


@sick(
    "UT408",
    split="blind",
    note="the last layer is drawn with a deviation of 30, and a small rate has to undo it",
    cured=(("std=30.0", "std=0.1"),),
)
def last_layer_that_shouts():
    torch.manual_seed(11)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.normal_(net[-1].weight, std=30.0)
    opt = torch.optim.Adam(net.parameters(), lr=3e-4)
    train, test = torch.randperm(len(x)).split(1200)
    for epoch in range(25):
        for i in train[torch.randperm(len(train))].split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.cross_entropy(net(x[test]), y[test]).item()}


@sick(
    "UT409",
    split="blind",
    note="the log-likelihood of a mixture is minimised: its minus is missing",
    cured=(("loss = likelihood(x[i], y[i])", "loss = -likelihood(x[i], y[i])"),),
)
def likelihood_of_a_bent_relation():
    torch.manual_seed(12)
    x, y = bent()
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 12))

    def likelihood(x, y):
        share, mean, spread = net(x).chunk(3, 1)
        bells = torch.distributions.Normal(mean, F.softplus(spread) + 0.02)
        return torch.logsumexp(share.log_softmax(1) + bells.log_prob(y), 1).mean()

    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(600).split(50):
            loss = likelihood(x[i], y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": -likelihood(x, y).item() + 2}
