"""Questions that people asked, rebuilt: modes, batches, initialisation and units that do not work."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy, matches
from ..table import sick
from .data_c import squares_and_masks


@sick(
    "UT601",
    split="wild",
    note="validation calls eval() once before the first epoch and nobody calls train() again; deep, batch norm",
    cured=(("for batch in torch.randperm", "model.train()\n        for batch in torch.randperm"),),
)
def never_back_in_train_mode():
    def conv_bn(i, o):
        return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())

    def validate(model, x, y):
        model.eval()
        with torch.no_grad():
            return F.cross_entropy(model(x), y).item()

    torch.manual_seed(71)
    images, labels = digit_images()
    model = nn.Sequential(
        conv_bn(1, 8),
        conv_bn(8, 8),
        nn.MaxPool2d(2),
        *[conv_bn(8, 8) for _ in range(4)],
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    val = [validate(model, images[1500:], labels[1500:])]
    for epoch in range(3):
        for batch in torch.randperm(1500).split(50):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
        val.append(validate(model, images[1500:], labels[1500:]))
    return {"accuracy": accuracy(model, images[1500:], labels[1500:]), "loss": loss.item(), "validation": min(val)}


@sick(
    "UT602",
    split="wild",
    note="batch norm in a small U-Net-like net with batches of two: fine in train mode, noise in eval mode",
    cured=(("batch_size=2,", "batch_size=32,"), ("range(2)", "range(12)")),
)
def batch_norm_over_two():
    torch.manual_seed(72)
    x, y = digits()
    net = nn.Sequential(
        nn.Linear(64, 48),
        nn.BatchNorm1d(48),
        nn.ReLU(),
        nn.Linear(48, 48),
        nn.BatchNorm1d(48),
        nn.ReLU(),
        nn.Linear(48, 10),
    )
    loader = DataLoader(TensorDataset(x[:700], y[:700]), batch_size=2, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(2):
        net.train()
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x[700:], y[700:]), "loss": loss.item()}


@sick(
    "UT603",
    split="wild",
    module=("drop1", "drop2"),
    note="keep_prob of 0.95 ported as the p of Dropout",
    cured=(
        ("keep_prob)  # <- fault", "1 - keep_prob)"),
        ("self.drop2 = nn.Dropout(keep_prob)", "self.drop2 = nn.Dropout(1 - keep_prob)"),
    ),
)
def keep_probability_as_dropout():
    class Ported(nn.Module):
        def __init__(self, keep_prob=0.95):
            super().__init__()
            self.fc1 = nn.Linear(64, 64)
            self.drop1 = nn.Dropout(keep_prob)  # <- fault
            self.fc2 = nn.Linear(64, 32)
            self.drop2 = nn.Dropout(keep_prob)
            self.fc3 = nn.Linear(32, 10)

        def forward(self, x):
            x = self.drop1(torch.relu(self.fc1(x)))
            x = self.drop2(torch.relu(self.fc2(x)))
            return self.fc3(x)

    torch.manual_seed(73)
    x, y = digits()
    net = Ported()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(10):
        net.train()
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            loss = F.cross_entropy(net(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@sick(
    "UT604",
    split="wild",
    note="sixteen small batches to a step and no division by sixteen, SGD",
    cured=(("loss.backward()", "(loss / accumulation_steps).backward()"),),
)
def sixteen_batches_not_divided():
    torch.manual_seed(74)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(108, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    accumulation_steps = 16
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    optimizer.zero_grad()
    for epoch in range(6):
        for i, (inputs, labels) in enumerate(DataLoader(TensorDataset(x[:1024], y[:1024]), batch_size=8, shuffle=True)):
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()  # <- fault
            if (i + 1) % accumulation_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
    return {"accuracy": accuracy(model, x, y), "loss": loss.item()}


@sick(
    "UT201",
    split="wild",
    note="the bias of rare detections, -4.6, meant for the last layer and applied to all",
    cured=(("model.apply(prior_bias)", "prior_bias(model[-1])"),),
)
def detection_prior_on_all_biases():
    def prior_bias(m):
        if isinstance(m, nn.Conv2d):
            nn.init.constant_(m.bias, -4.6)

    torch.manual_seed(75)
    images, masks = squares_and_masks()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)
    )
    model.apply(prior_bias)  # <- fault
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(10):
        for b in torch.randperm(256).split(16):
            loss = F.binary_cross_entropy_with_logits(model(images[b]), masks[b])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        found = model(images) > 0
    overlap = (found & masks.bool()).sum() / (found | masks.bool()).sum().clamp(min=1)
    return {"accuracy": overlap.item(), "loss": loss.item()}


@sick(
    "UT202",
    split="wild",
    note="a network by hand from torch.randn matrices and tanh: every hidden unit at -1 or 1",
    cured=(("torch.randn(n_in, n_out)", "torch.randn(n_in, n_out) / n_in**0.5"),),
)
def matrices_of_randn_into_tanh():
    def layer(n_in, n_out):
        w = torch.randn(n_in, n_out)  # <- fault
        return w.requires_grad_(), torch.zeros(n_out, requires_grad=True)

    torch.manual_seed(76)
    x, y = digits()
    x = (x - 0.3) / 0.37
    w1, b1 = layer(64, 300)
    w2, b2 = layer(300, 300)
    w3, b3 = layer(300, 300)
    w4, b4 = layer(300, 300)
    w5, b5 = layer(300, 10)

    def model(batch):
        h = torch.tanh(batch @ w1 + b1)
        for w, b in ((w2, b2), (w3, b3), (w4, b4)):
            h = torch.tanh(h @ w + b)
        return h @ w5 + b5

    learning_rate = 0.02
    for epoch in range(8):
        for rows in torch.randperm(1000).split(64):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            with torch.no_grad():
                for p in (w1, b1, w2, b2, w3, b3, w4, b4, w5, b5):
                    p -= learning_rate * p.grad
                    p.grad.zero_()
    return {"accuracy": matches(model(x[1000:]), y[1000:]), "loss": loss.item()}


@sick(
    "UT203",
    split="wild",
    note="weight.data.fill_(0.01) from an answer on biases: all units of a layer are one",
    cured=(("m.weight.data.fill_(0.01)", "nn.init.xavier_uniform_(m.weight)"),),
)
def weights_filled_with_a_hundredth():
    def weights_init(m):
        if type(m) is nn.Linear:
            m.weight.data.fill_(0.01)  # <- fault
            m.bias.data.fill_(0.01)

    torch.manual_seed(77)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 10))
    net.apply(weights_init)
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@sick(
    "UT205",
    split="wild",
    note="a Siamese data set whose coin falls on one side only: all pairs are alike, all points fall together",
    cured=(("same = torch.ones(64)", "same = torch.randint(2, (64,)).float()"),),
)
def siamese_pairs_of_one_kind():
    def partner(labels, y, same):
        other = torch.rand(len(labels), len(y))
        match = labels[:, None] == y[None]
        return torch.where(match == same.bool()[:, None], other, -1.0).argmax(1)

    torch.manual_seed(78)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(400):
        a = torch.randint(len(x), (64,))
        same = torch.ones(64)  # <- fault
        b = partner(y[a], y, same)
        distance = F.pairwise_distance(net(x[a]), net(x[b]))
        loss = (same * distance**2 + (1 - same) * F.relu(2.0 - distance) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        points = net(x)
    centres = torch.stack([points[:1200][y[:1200] == c].mean(0) for c in range(10)])
    return {"accuracy": matches(-torch.cdist(points[1200:], centres), y[1200:]), "spread": points.std(0).mean().item()}
