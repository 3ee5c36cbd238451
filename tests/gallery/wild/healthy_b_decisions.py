"""Reinforcement learning, recommenders and graph networks that learn."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical
from torch.utils.data import DataLoader, TensorDataset

from ..data import wine
from ..score import accuracy, matches
from ..table import healthy
from .data_b import communities, corridor, molecules, ratings, sessions


@healthy(split="wild", odd="the loss of a policy hovers about zero and does not fall; the reward rises")
def bandit_with_a_moving_baseline():
    torch.manual_seed(131)
    context, best = wine()
    policy = nn.Sequential(nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 3))
    opt = torch.optim.Adam(policy.parameters(), lr=1e-2)
    baseline = 0.0
    for _ in range(300):
        i = torch.randint(len(context), (64,))
        pi = Categorical(logits=policy(context[i]))
        arm = pi.sample()
        reward = (arm == best[i]).float()
        loss = -(pi.log_prob(arm) * (reward - baseline)).mean() - 0.01 * pi.entropy().mean()
        baseline += 0.1 * (reward.mean().item() - baseline)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(policy, context, best)}


@healthy(split="wild", odd="the second net is in no optimizer and takes no gradient: it holds the targets still")
def corridor_with_two_nets():
    class Agent:
        def __init__(self):
            self.net = nn.Sequential(nn.Embedding(9, 16), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))
            self.still = copy.deepcopy(self.net).requires_grad_(False)
            self.opt = torch.optim.Adam(self.net.parameters(), lr=3e-3)

        def learn(self, s, a, r, n, end):
            best = self.net(n).argmax(1, keepdim=True)
            aim = r + 0.9 * (1 - end) * self.still(n).gather(1, best).squeeze(1)
            loss = F.smooth_l1_loss(self.net(s).gather(1, a[:, None]).squeeze(1), aim.detach())
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()

    torch.manual_seed(132)
    seen = corridor()
    agent = Agent()
    for step in range(500):
        i = torch.randint(len(seen[0]), (64,))
        agent.learn(*(column[i] for column in seen))
        if step % 20 == 0:
            agent.still.load_state_dict(agent.net.state_dict())
    with torch.no_grad():
        best = torch.zeros(8)
        for k in range(7, -1, -1):
            best[k] = 0.98 if k == 7 else -0.02 + 0.9 * best[k + 1]
        return {"error": F.mse_loss(agent.net(torch.arange(8)).amax(1), best).item()}


@healthy(split="wild", odd="two optimizers of different rates; the actor's gradient is mostly noise")
def walker_with_actor_and_critic():
    torch.manual_seed(133)
    cells, agents = 7, 32
    actor, critic = nn.Linear(cells, 2), nn.Linear(cells, 1)
    opt_a = torch.optim.SGD(actor.parameters(), lr=1.0)
    opt_c = torch.optim.SGD(critic.parameters(), lr=0.5)
    at = torch.randint(cells - 1, (agents,))
    for _ in range(700):
        seen = F.one_hot(at, cells).float()
        pi = Categorical(logits=actor(seen))
        move = pi.sample()
        after = (at + 2 * move - 1).clamp(0, cells - 1)
        end = after == cells - 1
        with torch.no_grad():
            aim = end.float() + 0.9 * critic(F.one_hot(after, cells).float()).squeeze(1) * ~end
        value = critic(seen).squeeze(1)
        opt_c.zero_grad()
        F.mse_loss(value, aim).backward()
        opt_c.step()
        opt_a.zero_grad()
        (-(pi.log_prob(move) * (aim - value.detach())).mean() - 0.003 * pi.entropy().mean()).backward()
        opt_a.step()
        at = torch.where(end, torch.randint(cells - 1, (agents,)), after)
    with torch.no_grad():
        chance = actor(torch.eye(cells)[:-1]).softmax(1)[:, 1]
    return {"accuracy": chance.mean().item()}


@healthy(split="wild", odd="sparse gradients: most rows of both tables are not touched in a step")
def sparse_factors_of_stars():
    torch.manual_seed(134)
    pairs, stars = ratings()
    user, item = nn.Embedding(100, 5, sparse=True), nn.Embedding(60, 5, sparse=True)
    for table in (user, item):
        nn.init.normal_(table.weight, std=0.3)
    opt = torch.optim.SparseAdam([user.weight, item.weight], lr=0.03)
    mean = stars[:3000].mean()
    for _ in range(16):
        for p, s in DataLoader(TensorDataset(pairs[:3000], stars[:3000]), batch_size=64, shuffle=True):
            opt.zero_grad()
            F.mse_loss(mean + (user(p[:, 0]) * item(p[:, 1])).sum(1), s).backward()
            opt.step()
    with torch.no_grad():
        p = pairs[3000:]
        return {"error": F.mse_loss(mean + (user(p[:, 0]) * item(p[:, 1])).sum(1), stars[3000:]).item()}


@healthy(split="wild", odd="the vectors of the context start at zero, as in word2vec")
def clicks_with_negative_samples():
    torch.manual_seed(135)
    seen, following = sessions()
    centre, context = nn.Embedding(30, 16), nn.Embedding(30, 16)
    nn.init.uniform_(centre.weight, -0.5, 0.5)
    nn.init.zeros_(context.weight)
    opt = torch.optim.Adagrad([centre.weight, context.weight], lr=0.3)
    last = seen[:, -1]
    for _ in range(20):
        for i in torch.randperm(1000).split(50):
            c = centre(last[i])
            good = (c * context(following[i])).sum(1)
            bad = torch.einsum("bd,bkd->bk", c, context(torch.randint(30, (len(i), 6))))
            loss = F.softplus(-good).mean() + F.softplus(bad).sum(1).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"accuracy": matches(centre(last[1000:]) @ context.weight.T, following[1000:])}


@healthy(split="wild", odd="the whole graph is the one batch, at every step, and half of the nodes count for nothing")
def groups_by_graph_attention():
    class Attention(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.w = nn.Linear(a, b, bias=False)
            self.left, self.right = nn.Linear(b, 1), nn.Linear(b, 1)

        def forward(self, x, edge):
            h = self.w(x)
            score = F.leaky_relu(self.left(h) + self.right(h).T, 0.2).masked_fill(~edge, float("-inf"))
            return score.softmax(1) @ h

    torch.manual_seed(136)
    adjacency, x, group, known = communities()
    edge = (adjacency + torch.eye(len(x))) > 0
    one, two, drop = Attention(16, 24), Attention(24, 4), nn.Dropout(0.4)
    net = nn.ModuleList([one, two, drop])
    opt = torch.optim.Adam(net.parameters(), lr=1e-2, weight_decay=5e-4)
    for _ in range(120):
        net.train()
        opt.zero_grad()
        scores = two(drop(F.elu(one(drop(x), edge))), edge)
        F.cross_entropy(scores[known], group[known]).backward()
        opt.step()
    net.eval()
    return {"accuracy": matches(two(F.elu(one(x, edge)), edge)[~known], group[~known])}


@healthy(split="wild", odd="all rounds of messages share one set of weights, and atoms are summed, not averaged")
def molecule_property_in_shared_rounds():
    class Net(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.atom, self.message = nn.Embedding(4, dim), nn.Linear(dim, dim)
            self.update = nn.Sequential(nn.Linear(2 * dim, dim), nn.SiLU())
            self.read = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, 1))

        def forward(self, bond, kind):
            h = self.atom(kind)
            for _ in range(2):
                h = h + self.update(torch.cat([h, bond @ self.message(h)], 2))
            return self.read(h).sum((1, 2))

    torch.manual_seed(137)
    bond, kind, worth = molecules()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=3)
    for _ in range(40):
        for i in torch.randperm(300).split(30):
            opt.zero_grad()
            F.mse_loss(net(bond[i], kind[i]), worth[i]).backward()
            opt.step()
        with torch.no_grad():
            held = F.mse_loss(net(bond[300:], kind[300:]), worth[300:]).item()
        plateau.step(held)
    return {"error": held}


@healthy(split="wild", odd="one click in seven is stray: the loss stays well above zero")
def next_click_by_attention():
    class SelfAttentive(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.item, self.place = nn.Embedding(30, dim), nn.Embedding(5, dim)
            self.attend = nn.MultiheadAttention(dim, 2, dropout=0.1, batch_first=True)
            self.norm = nn.LayerNorm(dim)

        def forward(self, seen):
            t = self.item(seen) * 0.5 + self.place.weight * 0.5
            t = self.norm(t + self.attend(t[:, -1:], t, t)[0])[:, -1]
            return t @ self.item.weight.T * 0.5

    torch.manual_seed(138)
    seen, following = sessions()
    net = SelfAttentive()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.1)
    for _ in range(10):
        net.train()
        for i in torch.randperm(1000).split(50):
            opt.zero_grad()
            F.cross_entropy(net(seen[i]), following[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, seen[1000:], following[1000:])}
