"""Generative, contrastive, reinforced, graph and fine-tuned networks with one thing wrong."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits
from ..score import accuracy
from ..table import sick


@sick(
    "UT205",
    split="late",
    module="encoder",
    note="two views pulled together, with nothing to hold the rest apart",
    cured=(
        ("loss = 1 - F.cosine_similarity(a, b).mean()", "loss = F.cross_entropy(10 * a @ b.T, torch.arange(len(a)))"),
    ),
)
def views_pulled_together_only():
    torch.manual_seed(70)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    opt = torch.optim.Adam(encoder.parameters(), lr=2e-3)

    def view(batch):
        return batch * (torch.rand_like(batch) > 0.2) + 0.1 * torch.randn_like(batch)

    for epoch in range(8):
        for i in torch.randperm(len(x)).split(128):
            a, b = F.normalize(encoder(view(x[i])), dim=1), F.normalize(encoder(view(x[i])), dim=1)
            loss = 1 - F.cosine_similarity(a, b).mean()  # <- fault
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        z = F.normalize(encoder(x), dim=1)
    near = (z @ z.T - 2 * torch.eye(len(z))).argmax(1)
    return {"accuracy": (y[near] == y).float().mean().item(), "spread": z.std(0).mean().item()}


@sick(
    "UT702",
    split="late",
    note="the next value is divided by the discount, so that values and loss grow without an end",
    cured=(("value / gamma", "value * gamma"),),
)
def corridor_q_divided_by_discount():
    torch.manual_seed(71)
    length, gamma = 8, 0.9
    eye = torch.eye(length)

    def move(state, action):
        after = (state + 2 * action - 1).clamp(0, length - 1)
        return after, (after == length - 1).float() - 0.1

    q = nn.Sequential(nn.Linear(length, 32), nn.ReLU(), nn.Linear(32, 2))
    frozen = copy.deepcopy(q)
    optimizer = torch.optim.Adam(q.parameters(), lr=1e-2)
    for step in range(600):
        state, action = torch.randint(length, (64,)), torch.randint(2, (64,))
        after, reward = move(state, action)
        with torch.no_grad():
            value = frozen(eye[after]).max(1).values
            target = reward + value / gamma  # <- fault
            for slow, fast in zip(frozen.parameters(), q.parameters()):
                slow.lerp_(fast, 0.1)
        loss = F.mse_loss(q(eye[state]).gather(1, action[:, None]).squeeze(1), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    exact, everywhere = torch.zeros(length), torch.arange(length)
    for _ in range(300):
        options = [move(everywhere, torch.full_like(everywhere, a)) for a in (0, 1)]
        exact = torch.stack([r + 0.9 * exact[s] for s, r in options]).max(0).values
    with torch.no_grad():
        return {"error": (q(eye).max(1).values - exact).pow(2).mean().item(), "loss": loss.item()}


@sick(
    "UT901",
    split="late",
    module="body",
    note="weights are initialised after the pretrained ones were loaded, then only the head is trained",
    cured=(
        (
            "model.body.load_state_dict(learned)\n    model.apply(init_weights)",
            "model.apply(init_weights)\n    model.body.load_state_dict(learned)",
        ),
    ),
)
def init_after_loading():
    class Net(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16), nn.ReLU())
            self.head = nn.Linear(16, classes)

        def forward(self, x):
            return self.head(self.body(x))

    def init_weights(m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=0.05)
            nn.init.zeros_(m.bias)

    def fit(net, parameters, data, target, steps, rate):
        opt = torch.optim.Adam(parameters, lr=rate)
        for _ in range(steps):
            i = torch.randint(len(data), (64,))
            loss = F.cross_entropy(net(data[i]), target[i])
            opt.zero_grad()
            loss.backward()
            opt.step()

    torch.manual_seed(72)
    x, y = digits()
    first = Net(10)
    fit(first, first.parameters(), x[:1000], y[:1000], 250, 3e-3)
    learned = first.body.state_dict()

    model = Net(5)
    model.body.load_state_dict(learned)
    model.apply(init_weights)
    fit(model, [{"params": model.body.parameters(), "lr": 1e-5}, *[{"params": p} for p in model.head.parameters()]],
        x[1000:1200], y[1000:1200] // 2, 120, 1e-2)  # fmt: skip
    return {"accuracy": accuracy(model, x[1200:], y[1200:] // 2)}


@sick(
    "UT407",
    split="late",
    note="a VAE that sums its loss over batch and pixels, with SGD at a rate for a mean",
    cured=(("+ kl\n", "+ kl\n            loss = loss / len(i)\n"),),
)
def vae_summed_over_everything():
    class VAE(nn.Module):
        def __init__(self, latent=6):
            super().__init__()
            self.enc = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
            self.mu, self.logvar = nn.Linear(48, latent), nn.Linear(48, latent)
            self.dec = nn.Sequential(nn.Linear(latent, 48), nn.ReLU(), nn.Linear(48, 64))

        def forward(self, x):
            h = self.enc(x)
            mu, logvar = self.mu(h), self.logvar(h)
            z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
            return self.dec(z), mu, logvar

    torch.manual_seed(73)
    x, _ = digits()
    vae = VAE()
    sgd = torch.optim.SGD(vae.parameters(), lr=0.003, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(100):
            out, mu, logvar = vae(x[i])
            kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            loss = F.mse_loss(out, x[i], reduction="sum") + kl
            sgd.zero_grad()
            loss.backward()
            sgd.step()
    with torch.no_grad():
        return {"error": F.mse_loss(vae(x)[0], x).item()}


@sick(
    "UT801",
    split="late",
    note="distances in a triplet loss by a bare square root, and an anchor may be its own positive",
    cured=((".sqrt()", ".add(1e-8).sqrt()"),),
)
def triplets_with_bare_root():
    torch.manual_seed(74)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 8))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)

    def distance(a, b):
        return (a - b).pow(2).sum(1).sqrt()  # <- fault

    by_class = [(y == c).nonzero().flatten() for c in range(10)]
    for step in range(250):
        classes = torch.randint(10, (48,)).tolist()
        anchor = torch.stack([by_class[c][torch.randint(len(by_class[c]), ())] for c in classes])
        positive = torch.stack([by_class[c][torch.randint(len(by_class[c]), ())] for c in classes])
        negative = torch.randint(len(x), (48,))
        a, p, n = net(x[anchor]), net(x[positive]), net(x[negative])
        loss = F.relu(distance(a, p) - distance(a, n) + 1.0).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = net(x).nan_to_num()
    near = (torch.cdist(z, z) + 1e6 * torch.eye(len(z))).argmin(1)
    return {"accuracy": (y[near] == y).float().mean().item()}


@sick(
    "UT108",
    split="late",
    module="trunk",
    note="the auxiliary head, copied from a domain-adversarial net, still reverses its gradient",
    cured=(("self.aux(Reverse.apply(h))", "self.aux(h)"),),
)
def auxiliary_head_behind_reversal():
    class Reverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, grad):
            return -grad

    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Sequential(
                nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 12), nn.ReLU()
            )
            self.main, self.aux = nn.Linear(12, 10), nn.Linear(12, 10)

        def forward(self, x):
            h = self.trunk(x)
            return self.main(h), self.aux(Reverse.apply(h))  # <- fault

    torch.manual_seed(75)
    x, y = digits()
    net = TwoHeads()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for i in torch.randperm(1500).split(50):
            main, aux = net(x[i])
            loss = F.cross_entropy(main, y[i]) + F.cross_entropy(aux, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": (net(x[1500:])[0].argmax(1) == y[1500:]).float().mean().item()}


@sick(
    "UT402",
    split="late",
    note="a graph network's raw scores go into NLLLoss",
    cured=(("return adjacency @ self.second(h)", "return (adjacency @ self.second(h)).log_softmax(-1)"),),
)
def graph_scores_into_nll():
    class GCN(nn.Module):
        def __init__(self, inputs, hidden, classes):
            super().__init__()
            self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, classes)

        def forward(self, adjacency, x):
            h = F.relu(adjacency @ self.first(x))
            return adjacency @ self.second(h)

    torch.manual_seed(76)
    n = 240
    community = torch.arange(n) % 4
    chance = torch.where(community[:, None] == community, 0.08, 0.015)
    links = torch.triu((torch.rand(n, n) < chance).float(), 1)
    links = links + links.T + torch.eye(n)
    adjacency = links / links.sum(1, keepdim=True)
    features = 0.5 * F.one_hot(community, 4) + torch.randn(n, 4)
    features = torch.cat([features, torch.randn(n, 4)], 1)
    train = torch.randperm(n)[:120]
    gcn = GCN(8, 16, 4)
    opt = torch.optim.Adam(gcn.parameters(), lr=1e-2, weight_decay=5e-4)
    criterion = nn.NLLLoss()
    for epoch in range(150):
        out = gcn(adjacency, features)
        loss = criterion(out[train], community[train])
        opt.zero_grad()
        loss.backward()
        opt.step()
    rest = torch.ones(n, dtype=torch.bool)
    rest[train] = False
    return {"accuracy": (gcn(adjacency, features).argmax(1) == community)[rest].float().mean().item()}
