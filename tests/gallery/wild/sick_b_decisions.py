"""Reinforcement learning that does not learn."""

import copy
import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical

from ..data import iris, wine
from ..score import accuracy, matches
from ..table import sick
from .data_b import corridor


@sick(
    "UT409",
    split="wild",
    note="the minus before log-probability times advantage is missing",
    cured=(("(choice.log_prob(arm) * gain).mean()", "-(choice.log_prob(arm) * gain).mean()"),),
)
def bandit_that_flees_its_reward():
    torch.manual_seed(41)
    context, best = wine()
    policy = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 3))
    opt = torch.optim.Adam(policy.parameters(), lr=5e-3)
    for _ in range(300):
        i = torch.randint(len(context), (64,))
        choice = Categorical(logits=policy(context[i]))
        arm = choice.sample()
        reward = (arm == best[i]).float()
        gain = reward - reward.mean()
        loss = (choice.log_prob(arm) * gain).mean()  # <- fault
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(policy, context, best)}


@sick(
    "UT702",
    split="wild",
    note="a discount of 1.05: what is to come counts for more than what is, and grows without end",
    cured=(("discount = 1.05", "discount = 0.9"),),
)
def corridor_values_without_end():
    torch.manual_seed(42)
    state, action, reward, after, end = corridor()
    after = after.masked_fill(end == 1, 0)  # back to the start
    discount = 1.05  # <- fault

    class QNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.Linear(32, 2))

        def forward(self, cell):
            return self.net(F.one_hot(cell, 9).float())

    q = QNet()
    target = copy.deepcopy(q)
    opt = torch.optim.Adam(q.parameters(), lr=0.02)
    for step in range(800):
        i = torch.randint(len(state), (64,))
        with torch.no_grad():
            aim = reward[i] + discount * target(after[i]).amax(1)
        loss = F.mse_loss(q(state[i]).gather(1, action[i, None]).squeeze(1), aim)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 5 == 4:
            target.load_state_dict(q.state_dict())
    with torch.no_grad():
        aim = reward + discount * q(after).amax(1)
        off = F.mse_loss(q(state).gather(1, action[:, None]).squeeze(1), aim)
    return {"error": off.item(), "loss": loss.item()}


@sick(
    "UT508",
    split="wild",
    note="the reward at the goal is 5000, and the net is asked for values of that size",
    cured=(("scale = 5000.0", "scale = 1.0"),),
)
def corridor_with_a_huge_prize():
    torch.manual_seed(43)
    state, action, reward, after, end = corridor()
    scale = 5000.0  # <- fault
    memory = deque(zip(state, action, reward * scale, after, end, strict=True), maxlen=1500)
    rng = random.Random(0)
    online = nn.Sequential(nn.Embedding(9, 16), nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 2))
    frozen = copy.deepcopy(online)
    opt = torch.optim.Adam(online.parameters(), lr=3e-3)
    for step in range(300):
        s, a, r, n, e = (torch.stack(column) for column in zip(*rng.sample(memory, 32), strict=True))
        with torch.no_grad():
            aim = r + 0.9 * (1 - e) * frozen(n).max(1).values
        loss = F.smooth_l1_loss(online(s).gather(1, a[:, None])[:, 0], aim)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 20 == 0:
            frozen.load_state_dict(online.state_dict())
    with torch.no_grad():
        value = online(torch.arange(8)).max(1).values / scale
        best = 0.98 * 0.9 ** torch.arange(7, -1, -1.0)
    return {"error": F.mse_loss(value, best).item(), "loss": loss.item()}


@sick(
    "UT404",
    split="wild",
    note="the critic's values are (batch, 1), the returns (batch,): advantages of every pair",
    cured=(("value = critic(x[i])", "value = critic(x[i]).squeeze(1)"),),
)
def critic_of_every_pair():
    torch.manual_seed(44)
    x, y = iris()
    actor = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
    critic = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.RMSprop([*actor.parameters(), *critic.parameters()], lr=3e-3)
    for _ in range(250):
        i = torch.randint(len(x), (50,))
        policy = Categorical(logits=actor(x[i]))
        arm = policy.sample()
        returned = (arm == y[i]).float() + 2.0 * x[i, 2]
        value = critic(x[i])
        advantage = (returned - value).detach()
        loss_pi = -(policy.log_prob(arm) * advantage).mean() - 0.01 * policy.entropy().mean()
        loss_v = F.mse_loss(value, returned)  # <- fault
        opt.zero_grad()
        (loss_pi + loss_v).backward()
        opt.step()
    with torch.no_grad():
        off = F.mse_loss(critic(x).squeeze(1), 1 + 2.0 * x[:, 2])
    return {"error": off.item(), "right": matches(actor(x), y)}


@sick(
    "UT801",
    split="wild",
    note="the bonus for entropy is p log p by hand, and a masked action has p = 0",
    cured=(("p.log()", "p.clamp_min(1e-8).log()"),),
)
def masked_actions_and_their_entropy():
    torch.manual_seed(45)
    context, best = wine()
    closed = (best + 1 + torch.randint(2, best.shape)) % 3
    policy = nn.Sequential(nn.Linear(13, 32), nn.SiLU(), nn.Linear(32, 3))
    opt = torch.optim.SGD(policy.parameters(), lr=0.1, momentum=0.9)
    for _ in range(200):
        i = torch.randint(len(context), (64,))
        logits = policy(context[i]).scatter(1, closed[i, None], -1e9)
        p = logits.softmax(1)
        arm = torch.multinomial(p.nan_to_num(1 / 3).detach(), 1)
        reward = (arm == best[i, None]).float()
        entropy = -(p * p.log()).sum(1).mean()  # <- fault
        loss = -((reward - 0.5) * p.gather(1, arm).clamp_min(1e-8).log()).mean() - 0.01 * entropy
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"accuracy": matches(policy(context).scatter(1, closed[:, None], -1e9), best)}


@sick(
    "UT302",
    split="wild",
    note="the rate is halved at every step, as was meant for every epoch",
    cured=(("ExponentialLR(opt, 0.5)", "ExponentialLR(opt, 0.99)"),),
)
def cloned_expert_whose_rate_is_gone():
    def rollouts(count):
        g = torch.Generator().manual_seed(46)
        place = torch.rand(count, 4, generator=g) * 2 - 1
        gap = place[:, 2:] - place[:, :2]
        move = torch.where(gap.abs()[:, 0] > gap.abs()[:, 1], (gap[:, 0] > 0).long(), 2 + (gap[:, 1] > 0).long())
        return place, move

    torch.manual_seed(46)
    place, move = rollouts(1500)
    student = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    opt = torch.optim.SGD(student.parameters(), lr=0.2, momentum=0.9)
    sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.5)  # <- fault
    for _ in range(6):
        for i in torch.randperm(1200).split(50):
            opt.zero_grad()
            F.cross_entropy(student(place[i]), move[i]).backward()
            opt.step()
            sched.step()
    return {"accuracy": accuracy(student, place[1200:], move[1200:])}


@sick(
    "UT501",
    split="wild",
    note="the observation holds metres, pascals and seconds as they come: 0.01 to 100000",
    cured=(("see = look", "see = (look - look.mean(0)) / look.std(0)"),),
)
def policy_that_reads_raw_instruments():
    torch.manual_seed(47)
    hidden = torch.randn(1000, 3)
    best = (hidden @ torch.tensor([1.0, -0.8, 0.6]) > 0).long()
    look = torch.stack([2 + 0.5 * hidden[:, 0], 101325 + 900 * hidden[:, 1], 0.04 + 0.01 * hidden[:, 2]], 1)
    see = look  # <- fault
    agent = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 2))
    opt = torch.optim.Adam(agent.parameters(), lr=5e-3)
    baseline = 0.5
    for _ in range(300):
        i = torch.randint(1000, (100,))
        pi = Categorical(logits=agent(see[i]))
        a = pi.sample()
        r = (a == best[i]).float()
        loss = -(pi.log_prob(a) * (r - baseline)).mean()
        baseline = 0.9 * baseline + 0.1 * r.mean().item()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(agent.parameters(), 1.0)
        opt.step()
    return {"accuracy": accuracy(agent, see, best)}


@sick(
    "UT312",
    split="wild",
    note="momentum 0.999 for a quality network, over 400 steps",
    cured=(("momentum=0.999", "momentum=0.9"),),
)
def soft_target_q_with_momentum():
    class Dueling(nn.Module):
        def __init__(self, cells=9):
            super().__init__()
            self.body = nn.Sequential(nn.Embedding(cells, 24), nn.Linear(24, 24), nn.ELU())
            self.value, self.gain = nn.Linear(24, 1), nn.Linear(24, 2)

        def forward(self, s):
            h = self.body(s)
            gain = self.gain(h)
            return self.value(h) + gain - gain.mean(1, keepdim=True)

    torch.manual_seed(48)
    s, a, r, n, end = corridor()
    net = Dueling()
    slow = copy.deepcopy(net).requires_grad_(False)
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.999)  # <- fault
    for _ in range(400):
        i = torch.randint(len(s), (64,))
        aim = r[i] + 0.9 * (1 - end[i]) * slow(n[i]).gather(1, net(n[i]).argmax(1, keepdim=True))[:, 0]
        loss = F.mse_loss(net(s[i]).gather(1, a[i, None])[:, 0], aim)
        opt.zero_grad()
        loss.backward()
        opt.step()
        for p, q in zip(slow.parameters(), net.parameters(), strict=True):
            p.data.lerp_(q.data, 0.1)
    cells = torch.arange(8)
    with torch.no_grad():
        best = torch.zeros(8)
        for k in range(7, -1, -1):
            best[k] = 0.98 if k == 7 else -0.02 + 0.9 * best[k + 1]
        return {"error": F.mse_loss(net(cells).amax(1), best).item(), "loss": loss.item()}
