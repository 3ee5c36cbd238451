"""Tables: classes, counts, quantiles, prices and clicks, learned well, some in ways that look odd."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, raw_wine, standardized, wine
from ..score import accuracy, hits, matches
from ..table import healthy
from .data_a import clicks, houses, loans, plant, rentals, scaled_houses


@healthy(split="blind", odd="inputs as measured, up to 1680, into a batch norm; always learned (0.4 by guessing)")
def wine_with_a_norm_in_front():
    torch.manual_seed(1)
    x, y = raw_wine()
    net = nn.Sequential(nn.BatchNorm1d(13), nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for epoch in range(40):
        net.train()
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="prices in dollars: losses of 1e10, but the output is scaled inside the net")
def dollars_scaled_inside_the_net():
    class Pricer(nn.Module):
        def __init__(self, x, y):
            super().__init__()
            for name, value in (("xm", x.mean(0)), ("xs", x.std(0)), ("ym", y.mean()), ("ys", y.std())):
                self.register_buffer(name, value)
            self.net = nn.Sequential(nn.Linear(5, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))

        def forward(self, x):
            return self.ym + self.ys * self.net((x - self.xm) / self.xs)[:, 0]

    torch.manual_seed(2)
    x, y = houses()
    model = Pricer(x, y)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(30):
        for i in torch.randperm(600).split(30):
            optimizer.zero_grad()
            F.mse_loss(model(x[i]), y[i]).backward()
            optimizer.step()
    return {"error": (F.mse_loss(model(x), y) / y.var()).item()}


@healthy(split="blind", odd="a Poisson loss far below 0; of the variance a fifth is noise and remains")
def poisson_loss_of_rentals():
    torch.manual_seed(3)
    x, y = rentals()
    net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(30):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            nn.PoissonNLLLoss()(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": (F.mse_loss(net(x).exp(), y) / y.var()).item()}


@healthy(split="blind", odd="three outputs for one target: (N, 3) against (N, 1) broadcasts on purpose")
def three_quantiles_of_a_price():
    levels = torch.tensor([0.1, 0.5, 0.9])

    def pinball(guess, y):
        miss = y[:, None] - guess
        return torch.maximum(levels * miss, (levels - 1) * miss).mean()

    torch.manual_seed(4)
    x, y = scaled_houses()
    net = nn.Sequential(nn.Linear(5, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 3))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(30):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            pinball(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 1], y).item()}


@healthy(split="blind", odd="five in a hundred do not pay, and plain cross-entropy learns them (balanced accuracy)")
def rare_but_learned():
    torch.manual_seed(5)
    x, y = loans(3000, 0.05)
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(100):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    guess = net(x).argmax(1)
    return {"accuracy": sum((guess[y == k] == k).float().mean().item() for k in (0, 1)) / 2}


@healthy(split="blind", odd="sparse gradients: most rows of the tables get none in a batch")
def factors_with_sparse_adam():
    torch.manual_seed(6)
    x, y = clicks()
    who, page = nn.Embedding(50, 8, sparse=True), nn.Embedding(40, 8, sparse=True)
    device = nn.Parameter(torch.zeros(4))
    for table in (who, page):
        nn.init.normal_(table.weight, std=0.3)
    sparse = torch.optim.SparseAdam([who.weight, page.weight], lr=1e-2)
    dense = torch.optim.SGD([device], lr=0.1)

    def score(i):
        return (who(i[:, 0]) * page(i[:, 1])).sum(1) + device[i[:, 2]]

    for epoch in range(30):
        for i in torch.randperm(2000).split(40):
            sparse.zero_grad()
            dense.zero_grad()
            F.binary_cross_entropy_with_logits(score(x[i]), y[i]).backward()
            sparse.step()
            dense.step()
    return {"accuracy": hits(score(x), y)}


@healthy(split="blind", odd="a loss summed over the batch, at a rate of 1e-4")
def summed_on_purpose():
    torch.manual_seed(7)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1))
    opt = torch.optim.SGD(net.parameters(), lr=5e-4, momentum=0.9)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i])[:, 0], y[i].float(), reduction="sum").backward()
            opt.step()
    return {"accuracy": hits(net(x), y)}


@healthy(split="blind", odd="each small net learns what the ones before left over, and is then left alone")
def boosted_little_nets():
    torch.manual_seed(8)
    x, y = scaled_houses()
    left, total = y.clone(), torch.zeros_like(y)
    for stage in range(12):
        weak = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0))
        opt = torch.optim.Adam(weak.parameters(), lr=2e-2)
        for epoch in range(6):
            for i in torch.randperm(600).split(60):
                opt.zero_grad()
                F.mse_loss(weak(x[i]), left[i]).backward()
                opt.step()
        with torch.no_grad():
            total += 0.7 * weak(x)
            left = y - total
    return {"error": F.mse_loss(total, y).item()}


@healthy(split="blind", odd="a hinge loss that is 0 for most examples")
def margins_of_cells():
    torch.manual_seed(9)
    x, y = cancer()
    sign = 2.0 * y - 1
    w, b = torch.zeros(30, requires_grad=True), torch.zeros(1, requires_grad=True)
    opt = torch.optim.SGD([w, b], lr=0.05)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(8):
            opt.zero_grad()
            (F.relu(1 - sign[i] * (x[i] @ w + b)).mean() + 1e-3 * w.square().sum()).backward()
            opt.step()
    return {"accuracy": hits(x @ w + b, y)}


@healthy(split="blind", odd="a soft decision tree: outputs of its gates pile up at 0 and 1")
def tree_with_soft_gates():
    class Tree(nn.Module):
        def __init__(self, depth=3):
            super().__init__()
            self.depth, self.gates = depth, nn.Linear(13, 2**depth - 1)
            self.leaves = nn.Parameter(0.1 * torch.randn(2**depth, 3))

        def forward(self, x):
            right = torch.sigmoid(2 * self.gates(x))
            reach, first = torch.ones(len(x), 1), 0
            for level in range(self.depth):
                gate = right[:, first : first + 2**level]
                reach = torch.stack([reach * (1 - gate), reach * gate], 2).flatten(1)
                first += 2**level
            return (reach @ self.leaves.softmax(1) + 1e-8).log()

    torch.manual_seed(10)
    x, y = wine()
    tree = Tree()
    opt = torch.optim.Adam(tree.parameters(), lr=3e-2)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(20):
            opt.zero_grad()
            F.nll_loss(tree(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(tree, x, y)}


@healthy(split="blind", odd="a plain multi-layer perceptron with early stopping on a validation set")
def best_state_is_kept():
    torch.manual_seed(11)
    x, made, _ = plant()
    x, y = x, standardized(made)
    net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    best, state, patience = float("inf"), None, 0
    for epoch in range(60):
        net.train()
        for xb, yb in DataLoader(TensorDataset(x[:500], y[:500]), batch_size=25, shuffle=True):
            opt.zero_grad()
            F.mse_loss(net(xb), yb).backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            held_out = F.mse_loss(net(x[500:]), y[500:]).item()
        if held_out < best:
            best, patience, state = held_out, 0, {k: v.clone() for k, v in net.state_dict().items()}
        elif (patience := patience + 1) > 12:
            break
    net.load_state_dict(state)
    return {"error": F.mse_loss(net(x[500:]), y[500:]).item()}


@healthy(split="blind", odd="cumulative logits with one weight for all thresholds")
def ordered_states_of_a_plant():
    torch.manual_seed(12)
    x, _, state = plant()
    body = nn.Sequential(nn.Linear(6, 32), nn.GELU(), nn.Linear(32, 1, bias=False))
    cuts = nn.Parameter(torch.tensor([-0.5, 0.5]))
    above = (state[:, None] > torch.arange(2)).float()
    opt = torch.optim.Adam([*body.parameters(), cuts], lr=5e-3)
    for epoch in range(40):
        for i in torch.randperm(700).split(50):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(body(x[i]) - cuts, above[i]).backward()
            opt.step()
    guess = (body(x) > cuts).sum(1)
    return {"accuracy": matches(F.one_hot(guess, 3), state)}
