"""Numbers that break, weights that are lost, labels that belong to others."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digits, wine
from ..score import accuracy
from ..table import sick
from .data_a import beats, calls, figures, friedman


@sick(
    "UT801",
    split="wild",
    note="distances of all pairs by a root, which has no slope at 0, where each row meets itself",
    cured=(("torch.sqrt(square)", "torch.sqrt(square + 1e-8)"),),
)
def wine_embedded_by_distances():
    def distances(z):
        square = (z.unsqueeze(0) - z.unsqueeze(1)).pow(2).sum(-1)
        return torch.sqrt(square)  # <- fault

    torch.manual_seed(160)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 4))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    shuffled = torch.randperm(178)
    seen, held = shuffled[:120], shuffled[120:]
    for step in range(150):
        b = seen[torch.randint(120, (40,))]
        d = distances(net(x[b]))
        same = (y[b].unsqueeze(0) == y[b].unsqueeze(1)).float()
        loss = (same * d**2 + (1 - same) * F.relu(2.0 - d) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = net(x)
    middles = torch.stack([z[seen][y[seen] == k].mean(0) for k in range(3)])
    return {"accuracy": (torch.cdist(z[held], middles).argmin(1) == y[held]).float().mean().item()}


@sick(
    "UT801",
    split="wild",
    note="standardized by a deviation that is 0: the edge of a digit is always blank",
    cured=(("x.std(0)", "x.std(0).clamp_min(1e-2)"),),
)
def digits_divided_by_a_flat_pixel():
    torch.manual_seed(161)
    x, y = digits()
    x = (x - x.mean(0)) / x.std(0)  # <- fault
    net = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(6):
        for xb, yb in DataLoader(TensorDataset(x[:1400], y[:1400]), 40, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@sick(
    "UT801",
    split="wild",
    note="logarithms of counts, some of which are 0",
    cured=(("torch.log(count)", "torch.log1p(count)"), (".exp() - count", ".expm1() - count")),
)
def calls_by_their_logarithm():
    torch.manual_seed(162)
    x, count = calls()
    target = torch.log(count)  # <- fault
    net = nn.Sequential(nn.Linear(5, 32), nn.ELU(), nn.Linear(32, 32), nn.ELU(), nn.Linear(32, 1))
    opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    for epoch in range(20):
        for b in torch.randperm(480).split(32):
            loss = F.mse_loss(net(x[b]).squeeze(1), target[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": (net(x[480:]).squeeze(1).exp() - count[480:]).abs().mean().item()}


@sick(
    "UT901",
    split="wild",
    note="the head is added and apply(init) draws the learned encoder anew as well",
    cured=(("    model.apply(init_weights)  # <- fault", "    model[-1].apply(init_weights)"),),
)
def encoder_lost_on_the_way():
    def init_weights(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)

    torch.manual_seed(163)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU())
    first = nn.Sequential(encoder, nn.Linear(24, 10))
    opt = torch.optim.Adam(first.parameters(), lr=4e-3)
    for step in range(250):
        b = torch.randint(1400, (48,))
        opt.zero_grad()
        F.cross_entropy(first(x[b]), y[b]).backward()
        opt.step()
    model = nn.Sequential(copy.deepcopy(encoder), nn.Linear(24, 2))
    model.apply(init_weights)  # <- fault
    even = 1 - y % 2
    few = torch.randperm(1400)[:60]
    opt = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for step in range(120):
        b = few[torch.randperm(60)[:20]]
        opt.zero_grad()
        F.cross_entropy(model(x[b]), even[b]).backward()
        opt.step()
    return {"accuracy": accuracy(model, x[1400:], even[1400:])}


@sick(
    "UT901",
    split="wild",
    note="the state of a pretrained trunk is loaded and the network made anew after it",
    cured=(("    net = Net(2)  # <- fault", "    pass"),),
)
def figures_with_a_trunk_made_anew():
    class Net(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.trunk = nn.Sequential(
                *[nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten()],
            )
            self.head = nn.Linear(64, classes)

        def forward(self, x):
            return self.head(self.trunk(x))

    def fit(net, x, y, steps, lr):
        opt = torch.optim.Adam(net.parameters(), lr=lr)
        for _ in range(steps):
            b = torch.randint(len(x), (25,))
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()

    torch.manual_seed(164)
    x, kind = figures()
    source = Net(4)
    fit(source, x[:400], kind[:400], 250, 3e-3)
    net = Net(2)
    net.trunk.load_state_dict(source.trunk.state_dict())
    net = Net(2)  # <- fault
    round_ = (kind > 1).long()
    fit(net, x[400:440], round_[400:440], 60, 1e-3)
    return {"accuracy": accuracy(net, x[440:], round_[440:])}


@sick(
    "UT705",
    split="wild",
    note="sixty rows, a wide network and no end to the training",
    cured=(("few = 60", "few = 480"), ("range(400)", "range(50)")),
)
def friedman_learned_by_heart():
    torch.manual_seed(165)
    x, y = friedman()
    few = 60
    train, valid = slice(0, few), slice(480, 600)
    net = nn.Sequential(nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    history = []
    for epoch in range(400):
        net.train()
        for b in torch.randperm(few).split(60):
            opt.zero_grad()
            F.mse_loss(net(x[train][b]).squeeze(1), y[train][b]).backward()
            opt.step()
        if epoch % 10 == 0:
            net.eval()
            with torch.no_grad():
                history.append(F.mse_loss(net(x[valid]).squeeze(1), y[valid]).item())
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[valid]).squeeze(1), y[valid]).item(), "best": min(history)}


@sick(
    "UT701",
    split="wild",
    note="inputs and labels shuffled each on their own: every picture has the label of another",
    cured=(("kind[torch.randperm(400)]", "kind[order]"),),
)
def pulses_with_labels_of_others():
    torch.manual_seed(166)
    x, kind = beats()
    x, test_x, kind, test_kind = x[:400], x[400:], kind[:400], kind[400:]
    net = nn.Sequential(
        *[nn.Conv1d(1, 12, 9, stride=2), nn.ReLU(), nn.AdaptiveMaxPool1d(2), nn.Flatten()],
        *[nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4)],
    )
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for epoch in range(20):
        order = torch.randperm(400)
        xs, ks = x[order], kind[torch.randperm(400)]  # <- fault
        for i in range(0, 400, 40):
            opt.zero_grad()
            F.cross_entropy(net(xs[i : i + 40]), ks[i : i + 40]).backward()
            opt.step()
    return {"accuracy": accuracy(net, test_x, test_kind)}
