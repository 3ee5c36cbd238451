"""What well-known examples do, rebuilt small: metric learning, control, graphs, factors, other losses."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits, wine
from ..score import matches
from ..table import healthy
from .data_c import communities, ratings


@healthy(split="wild", odd="a Siamese pair with contrastive loss over random pairs, nine of ten of different classes")
def siamese_contrastive():
    torch.manual_seed(111)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.PReLU(), nn.Linear(64, 8))
    opt = torch.optim.Adam(net.parameters(), lr=8e-3)
    for step in range(300):
        a, b = torch.randint(1400, (2, 128))
        same = (y[a] == y[b]).float()
        d = F.pairwise_distance(net(x[a]), net(x[b]))
        loss = (5 * same * d.pow(2) + (1 - same) * F.relu(2 - d).pow(2)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = net(x)
    centres = torch.stack([z[:1400][y[:1400] == c].mean(0) for c in range(10)])
    return {"accuracy": matches(-torch.cdist(z[1400:], centres), y[1400:]), "loss": loss.item()}


@healthy(
    split="wild",
    odd="triplets with a margin of 1 and normalised embeddings: most triplets soon give no loss and no gradient",
)
def triplets_that_soon_give_nothing():
    torch.manual_seed(112)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    loss_fn = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: 1 - F.cosine_similarity(a, b), margin=0.5)
    by_class = [(y[:1400] == c).nonzero().flatten() for c in range(10)]
    for step in range(250):
        c = torch.randint(10, (96,))
        other = (c + torch.randint(1, 10, (96,))) % 10
        pick = lambda k: by_class[k][torch.randint(len(by_class[k]), (1,))]  # noqa: E731
        a, p, n = (torch.cat([pick(int(k)) for k in ks]) for ks in (c, c, other))
        loss = loss_fn(net(x[a]), net(x[p]), net(x[n]))
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = F.normalize(net(x), dim=1)
    nearest = (z[1400:] @ z[:1400].T).argmax(1)
    return {"accuracy": (y[:1400][nearest] == y[1400:]).float().mean().item(), "loss": loss.item()}


@healthy(split="wild", odd="REINFORCE with normalised returns: the loss wanders about nought and says nothing")
def reinforce_on_a_corridor():
    class Policy(nn.Module):
        def __init__(self):
            super().__init__()
            self.affine1, self.affine2 = nn.Linear(2, 64), nn.Linear(64, 3)

        def forward(self, x):
            return F.softmax(self.affine2(F.relu(self.affine1(x))), dim=1)

    torch.manual_seed(113)
    policy = Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=2e-2)

    def run(walkers):
        place, goal = torch.rand(2, walkers) * 2 - 1
        saved, rewards = [], []
        for _ in range(10):
            m = torch.distributions.Categorical(policy(torch.stack([place, goal], 1)))
            action = m.sample()
            before = (goal - place).abs()
            place = place + 0.2 * (action - 1)
            saved.append(m.log_prob(action))
            rewards.append(before - (goal - place).abs())
        return torch.stack(saved), torch.stack(rewards), (goal - place).abs().mean()

    for episode in range(150):
        logs, rewards, _ = run(24)
        returns, r = [], torch.zeros(24)
        for reward in rewards.flip(0):
            r = reward + 0.9 * r
            returns.insert(0, r)
        returns = torch.stack(returns)
        returns = (returns - returns.mean()) / (returns.std() + 1e-8)
        optimizer.zero_grad()
        loss = (-logs * returns).sum() / 24
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return {"error": run(400)[2].item()}


@healthy(split="wild", odd="DQN with replay and a soft target: the loss grows as the values do, then stands")
def dqn_on_a_chain():
    torch.manual_seed(114)
    size, gamma, tau = 8, 0.9, 0.02
    policy_net = nn.Sequential(nn.Linear(size, 32), nn.ReLU(), nn.Linear(32, 2))
    target_net = copy.deepcopy(policy_net)
    optimizer = torch.optim.AdamW(policy_net.parameters(), lr=6e-3, amsgrad=True)
    criterion = nn.SmoothL1Loss()
    states = torch.eye(size)
    memory = []
    for step in range(600):
        place = int(torch.randint(size - 1, (1,)))
        q = policy_net(states[place]).detach()
        action = int(q.argmax()) if torch.rand(1) > 0.3 else int(torch.randint(2, (1,)))
        after = min(place + 1, size - 1) if action else max(place - 1, 0)
        memory.append((place, action, after, float(after == size - 1)))
        if len(memory) < 32:
            continue
        pick = torch.randint(len(memory), (32,)).tolist()
        s, a, n, r = (torch.tensor(v) for v in zip(*[memory[k] for k in pick]))
        value = policy_net(states[s]).gather(1, a[:, None])
        with torch.no_grad():
            following = target_net(states[n]).max(1).values * (r == 0)
        loss = criterion(value, (r + gamma * following)[:, None])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(policy_net.parameters(), 100)
        optimizer.step()
        for t, p in zip(target_net.parameters(), policy_net.parameters()):
            t.data.lerp_(p.data, tau)
    with torch.no_grad():
        best = policy_net(states).max(1).values[:-1]
    return {"error": (best - gamma ** torch.arange(size - 2, -1, -1)).abs().mean().item(), "loss": loss.item()}


@healthy(split="wild", odd="actor and critic on one trunk, both losses summed; the actor's changes its sign")
def actor_critic_on_wine():
    class Policy(nn.Module):
        def __init__(self):
            super().__init__()
            self.affine1 = nn.Linear(13, 64)
            self.action_head, self.value_head = nn.Linear(64, 3), nn.Linear(64, 1)

        def forward(self, x):
            x = F.relu(self.affine1(x))
            return F.softmax(self.action_head(x), dim=-1), self.value_head(x)

    torch.manual_seed(115)
    x, y = wine()
    model = Policy()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(200):
        i = torch.randint(len(x), (48,))
        probs, value = model(x[i])
        m = torch.distributions.Categorical(probs)
        action = m.sample()
        reward = (action == y[i]).float() * 2 - 1
        advantage = reward - value.squeeze(-1).detach()
        loss = (-m.log_prob(action) * advantage).sum() + F.smooth_l1_loss(value.squeeze(-1), reward, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return {"accuracy": matches(model(x)[0], y)}


@healthy(
    split="wild", odd="matrix factorisation with sparse embeddings and SparseAdam: few rows have a gradient at a step"
)
def ratings_by_sparse_factors():
    class Factors(nn.Module):
        def __init__(self, users, items, rank=6):
            super().__init__()
            self.user, self.item = nn.Embedding(users, rank, sparse=True), nn.Embedding(items, rank, sparse=True)
            nn.init.normal_(self.user.weight, std=0.3)
            nn.init.normal_(self.item.weight, std=0.3)
            self.register_buffer("mean", torch.tensor(3.0))

        def forward(self, u, i):
            return self.mean + (self.user(u) * self.item(i)).sum(-1)

    torch.manual_seed(116)
    user, item, rating = ratings()
    model = Factors(80, 60)
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.03)
    for epoch in range(20):
        for b in torch.randperm(len(rating)).split(64):
            loss = F.mse_loss(model(user[b], item[b]), rating[b])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(user, item), rating).item()}


@healthy(
    split="wild",
    odd="GCN: all nodes go through the net and twelve of them have a label in the loss; weight decay of 5e-4",
)
def gcn_with_a_dozen_labels():
    class GCN(nn.Module):
        def __init__(self, nfeat, nhid, nclass):
            super().__init__()
            self.gc1, self.gc2 = nn.Linear(nfeat, nhid), nn.Linear(nhid, nclass)

        def forward(self, x, adj):
            x = F.relu(adj @ self.gc1(x))
            x = F.dropout(x, 0.5, training=self.training)
            return F.log_softmax(adj @ self.gc2(x), dim=1)

    torch.manual_seed(117)
    adj, features, labels = communities()
    idx_train = torch.arange(30)
    model = GCN(16, 16, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    for epoch in range(120):
        model.train()
        optimizer.zero_grad()
        loss_train = F.nll_loss(model(features, adj)[idx_train], labels[idx_train])
        loss_train.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        return {"accuracy": matches(model(features, adj)[30:], labels[30:]), "loss": loss_train.item()}


@healthy(split="wild", odd="forward-forward: each layer has its own optimizer and loss, and its input is detached")
def forward_forward():
    class Layer(nn.Linear):
        def __init__(self, i, o):
            super().__init__(i, o)
            self.opt = torch.optim.Adam(self.parameters(), lr=0.02)
            self.threshold = 2.0

        def forward(self, x):
            return F.relu(super().forward(x / (x.square().mean(1, keepdim=True).sqrt() + 1e-4)))

        def train_layer(self, pos, neg):
            g_pos, g_neg = self.forward(pos).pow(2).mean(1), self.forward(neg).pow(2).mean(1)
            loss = F.softplus(torch.cat([self.threshold - g_pos, g_neg - self.threshold])).mean()
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
            return self.forward(pos).detach(), self.forward(neg).detach()

    def overlay(x, y):
        return torch.cat([F.one_hot(y, 10).float() * 3, x], 1)

    torch.manual_seed(118)
    x, y = digits()
    layers = nn.ModuleList([Layer(74, 160), Layer(160, 160)])
    for epoch in range(30):
        for b in torch.randperm(1400).split(350):
            wrong = (y[b] + torch.randint(1, 10, (len(b),))) % 10
            pos, neg = overlay(x[b], y[b]), overlay(x[b], wrong)
            for layer in layers:
                pos, neg = layer.train_layer(pos, neg)
    goodness = []
    with torch.no_grad():
        for label in range(10):
            h, total = overlay(x[1400:], torch.full((397,), label)), 0
            for layer in layers:
                h = layer(h)
                total = total + h.pow(2).mean(1)
            goodness.append(total)
    return {"accuracy": matches(torch.stack(goodness, 1), y[1400:])}
