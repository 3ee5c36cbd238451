"""Pairs, teachers that follow, and rewards, as other people might train them."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical, Normal

from ..data import digits
from ..table import healthy


def nearest(z, y):
    """Share of examples whose nearest other one has the same label."""
    z = F.normalize(z.detach())
    return (y[(z @ z.T - 2 * torch.eye(len(z))).argmax(1)] == y).float().mean().item()


@healthy(split="held", odd="two views of each picture against all others in the batch")
def views_against_the_batch():
    torch.manual_seed(0)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 32))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(128):
            z = torch.cat([net(x[i] * (torch.rand(len(i), 64) > 0.2)) for _ in range(2)])
            scores = F.normalize(z) @ F.normalize(z).T / 0.3 - 1e9 * torch.eye(len(z))
            loss = F.cross_entropy(scores, torch.arange(len(z)).roll(len(i)))
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": nearest(net(x), y)}


@healthy(split="held", odd="triplets with a margin: in the end most losses are exactly 0, and so are gradients")
def triplets_with_a_margin():
    torch.manual_seed(1)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    opt = torch.optim.RMSprop(net.parameters(), lr=5e-4)
    rows = [torch.nonzero(y == k).squeeze(1) for k in range(10)]
    for step in range(2000):
        k, j = torch.randint(10, (2,)).tolist()
        j = (j + (j == k)) % 10
        a, p = rows[k][torch.randint(len(rows[k]), (2, 16))]
        n = rows[j][torch.randint(len(rows[j]), (16,))]
        loss = F.triplet_margin_loss(net(x[a]), net(x[p]), net(x[n]), margin=0.5)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": nearest(net(x), y)}


@healthy(split="held", odd="a teacher follows as a moving average; targets are detached, the loss falls to near 0")
def teacher_as_a_moving_average():
    torch.manual_seed(2)
    x, y = digits()
    student = nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 32))
    predict = nn.Sequential(nn.Linear(32, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32))
    teacher = copy.deepcopy(student).requires_grad_(False)
    opt = torch.optim.Adam([*student.parameters(), *predict.parameters()], lr=2e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(128):
            a, b = (x[i] * (torch.rand(len(i), 64) > 0.2) for _ in range(2))
            with torch.no_grad():
                goal = teacher(b)
            loss = 2 - 2 * F.cosine_similarity(predict(student(a)), goal).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            with torch.no_grad():
                for p, q in zip(teacher.parameters(), student.parameters()):
                    p.lerp_(q, 0.02)
    return {"accuracy": nearest(student.eval()(x), y)}


@healthy(split="held", odd="two towers pull at each other, the other side detached each time (no negatives)")
def other_side_detached():
    torch.manual_seed(3)
    x, y = digits()
    tower = nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 24), nn.BatchNorm1d(24))
    guess = nn.Sequential(nn.Linear(24, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 24))
    opt = torch.optim.SGD([*tower.parameters(), *guess.parameters()], lr=0.1, momentum=0.9)
    for epoch in range(40):
        for i in torch.randperm(len(x))[:1792].split(128):
            a, b = (tower(x[i] * (torch.rand(len(i), 64) > 0.2)) for _ in range(2))
            loss = -0.5 * F.cosine_similarity(guess(a), b.detach()).mean()
            loss = loss - 0.5 * F.cosine_similarity(guess(b), a.detach()).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": nearest(tower.eval()(x), y)}


@healthy(split="held", odd="REINFORCE with noisy rewards and a running baseline: the loss means nothing")
def noisy_rewards_with_a_baseline():
    torch.manual_seed(4)
    policy = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 4))
    opt = torch.optim.Adam(policy.parameters(), lr=3e-3)
    table, baseline = torch.randn(5, 4), 0.0
    for step in range(2000):
        state = torch.randint(5, (32,))
        dist = Categorical(logits=policy(F.one_hot(state, 5).float()))
        action = dist.sample()
        reward = table[state, action] + torch.randn(32)
        loss = -(dist.log_prob(action) * (reward - baseline)).mean() - 0.01 * dist.entropy().mean()
        baseline = 0.95 * baseline + 0.05 * reward.mean().item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": (policy(torch.eye(5)).argmax(1) == table.argmax(1)).float().mean().item()}


@healthy(split="held", odd="Q-learning with a target network: the loss rises as values grow")
def q_learning_with_a_target_network():
    torch.manual_seed(5)
    q = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 2))
    late = copy.deepcopy(q)
    opt = torch.optim.Adam(q.parameters(), lr=1e-3)
    cell = torch.eye(10)
    for step in range(2500):
        if step % 50 == 0:
            late.load_state_dict(q.state_dict())
        s, a = torch.randint(9, (32,)), torch.randint(2, (32,))
        after = (s + 2 * a - 1).clamp(0, 9)
        with torch.no_grad():
            goal = (after == 9).float() + 0.95 * late(cell[after]).amax(1) * (after < 9)
        loss = F.smooth_l1_loss(q(cell[s]).gather(1, a[:, None]).squeeze(1), goal)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": (q(cell[:9]).argmax(1) == 1).float().mean().item()}


@healthy(split="held", odd="actor and critic share a body; advantages are detached, the total goes up and down")
def actor_and_critic_share_a_body():
    torch.manual_seed(6)
    body, act, judge = nn.Sequential(nn.Linear(4, 48), nn.Tanh()), nn.Linear(48, 3), nn.Linear(48, 1)
    opt = torch.optim.RMSprop([*body.parameters(), *act.parameters(), *judge.parameters()], lr=1e-3)
    weights = torch.randn(4, 3)
    for step in range(2000):
        state = torch.randn(32, 4)
        h = body(state)
        dist, value = Categorical(logits=act(h)), judge(h).squeeze(1)
        action = dist.sample()
        reward = (state @ weights).gather(1, action[:, None]).squeeze(1) + 0.5 * torch.randn(32)
        advantage = reward - value
        loss = -(dist.log_prob(action) * advantage.detach()).mean() + 0.5 * advantage.pow(2).mean()
        loss = loss - 0.01 * dist.entropy().mean()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*body.parameters(), *act.parameters(), *judge.parameters()], 0.5)
        opt.step()
    state = torch.randn(2000, 4)
    return {"accuracy": (act(body(state)).argmax(1) == (state @ weights).argmax(1)).float().mean().item()}


@healthy(split="held", odd="proximal policy: ratios start at 1, the loss at 0, many ratios are clipped")
def ratios_clipped():
    torch.manual_seed(7)
    policy = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 1))
    log_std = nn.Parameter(torch.zeros(1))
    opt = torch.optim.Adam([*policy.parameters(), log_std], lr=3e-3)
    goal = torch.tensor([0.8, -0.5, 0.3])
    for rounds in range(150):
        state = torch.randn(256, 3)
        with torch.no_grad():
            old = Normal(policy(state).squeeze(1), log_std.exp())
            action = old.sample()
            before = old.log_prob(action)
        gain = -((action - state @ goal) ** 2)
        gain = (gain - gain.mean()) / gain.std()
        for i in torch.randperm(256).repeat(3).split(64):
            now = Normal(policy(state[i]).squeeze(1), log_std.exp())
            ratio = (now.log_prob(action[i]) - before[i]).exp()
            loss = -torch.minimum(ratio * gain[i], ratio.clamp(0.8, 1.2) * gain[i]).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(policy(state).squeeze(1), state @ goal).item()}


@healthy(split="held", odd="preferences: the better of two is told, 15 in 100 wrongly; scores are only relative")
def better_of_two():
    torch.manual_seed(8)
    x, y = digits()
    worth = x.mean(1)
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for step in range(2000):
        a, b = torch.randint(len(x), (2, 48))
        better = (worth[a] > worth[b]) ^ (torch.rand(48) < 0.15)
        loss = -F.logsigmoid((net(x[a]) - net(x[b])) * (2.0 * better - 1)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    a, b = torch.randint(len(x), (2, 2000))
    return {"accuracy": ((net(x[a]) > net(x[b])) == (worth[a] > worth[b])).float().mean().item()}


@healthy(split="held", odd="users times items: vectors without a network, most ratings unknown")
def users_times_items():
    torch.manual_seed(9)
    truth = torch.randn(80, 3) @ torch.randn(3, 60)
    user, item = torch.randint(80, (1600,)), torch.randint(60, (1600,))
    users, items = nn.Embedding(80, 6), nn.Embedding(60, 6)
    nn.init.normal_(users.weight, std=0.1)
    nn.init.normal_(items.weight, std=0.1)
    opt = torch.optim.Adam([*users.parameters(), *items.parameters()], lr=5e-3, weight_decay=1e-5)
    for epoch in range(60):
        for i in torch.randperm(1600).split(32):
            guess = (users(user[i]) * items(item[i])).sum(1)
            loss = F.mse_loss(guess, truth[user[i], item[i]])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": loss.item(), "variance": truth.var().item()}
