"""Reinforcement learning that learns."""

import collections
import copy
import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical, Normal

from ..table import healthy


@healthy(split="build", odd="the policy-gradient loss has no meaning and need not fall")
def reinforce_bandit():
    torch.manual_seed(0)
    payout = torch.tensor([0.1, 0.5, 0.9, 0.3])
    logits = nn.Parameter(torch.zeros(4))
    opt = torch.optim.SGD([logits], lr=1.0)
    baseline = 0.0
    for _ in range(200):
        policy = Categorical(logits=logits)
        action = policy.sample((16,))
        reward = (torch.rand(16) < payout[action]).float()
        loss = -(policy.log_prob(action) * (reward - baseline)).mean()
        baseline = 0.9 * baseline + 0.1 * reward.mean().item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"best_arm": logits.softmax(0)[2].item(), "start": 0.25}


@healthy(split="judge", odd="rewards depend on the context; loss near 0 all along")
def contextual_policy():
    class Policy(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 32), nn.ReLU())
            self.pi = nn.Linear(32, 4)

        def forward(self, x):
            return Categorical(logits=self.pi(self.body(x)))

    torch.manual_seed(1)
    policy = Policy()
    opt = torch.optim.Adam(policy.parameters(), lr=5e-3)
    rewards = []
    for _ in range(300):
        state = torch.randn(64, 4)
        dist = policy(state)
        action = dist.sample()
        reward = (action == state.argmax(1)).float()
        advantage = (reward - reward.mean()) / (reward.std() + 1e-6)
        loss = -(dist.log_prob(action) * advantage).mean() - 0.01 * dist.entropy().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        rewards.append(reward.mean().item())
    return {"start": rewards[0], "reward": sum(rewards[-20:]) / 20}


@healthy(split="build", odd="DQN: the target network gets no gradient; the loss rises as values are found")
def dqn_corridor():
    class Q(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))

        def forward(self, place):
            return self.net(F.one_hot(place, 6).float())

    random.seed(2)
    torch.manual_seed(2)
    q = Q()
    target = copy.deepcopy(q)
    opt = torch.optim.Adam(q.parameters(), lr=5e-3)
    memory = collections.deque(maxlen=1000)
    place = 0
    for step in range(500):
        action = random.randrange(2) if random.random() < 0.5 else q(torch.tensor([place])).argmax().item()
        after = max(0, place - 1) if action == 0 else place + 1
        done = after == 5
        memory.append((place, action, float(done), after, float(done)))
        place = 0 if done else after
        if len(memory) < 64:
            continue
        s, a, r, n, d = map(torch.tensor, zip(*random.sample(memory, 64)))
        with torch.no_grad():
            wanted = r + 0.9 * (1 - d) * target(n).max(1).values
        loss = F.smooth_l1_loss(q(s).gather(1, a[:, None]).squeeze(1), wanted)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 25 == 0:
            target.load_state_dict(q.state_dict())
    values = q(torch.arange(5))
    return {"right": (values[:, 1] > values[:, 0]).float().mean().item(), "value": values[4, 1].item()}


def cartpole(state, push):
    """One step of a pole of length 1 that is balanced by a push, for many poles at once."""
    angle, speed = state.unbind(1)
    speed = speed + 0.1 * (angle + push)
    return torch.stack([angle + 0.1 * speed, speed], 1)


@healthy(split="judge", odd="actor and critic share a body; three losses added, advantages detached")
def actor_critic_pole():
    class ActorCritic(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(2, 32), nn.Tanh())
            self.actor, self.critic = nn.Linear(32, 2), nn.Linear(32, 1)

        def forward(self, x):
            h = self.body(x)
            return Categorical(logits=self.actor(h)), self.critic(h).squeeze(1)

    torch.manual_seed(3)
    model = ActorCritic()
    opt = torch.optim.RMSprop(model.parameters(), lr=3e-3)
    costs = []
    for _ in range(150):
        state = 0.5 * torch.randn(64, 2)
        logps, values, entropies, rewards = [], [], [], []
        for _ in range(8):
            dist, value = model(state)
            action = dist.sample()
            state = cartpole(state, 4 * (2 * action - 1).float())
            logps.append(dist.log_prob(action))
            values.append(value)
            entropies.append(dist.entropy())
            rewards.append(-(state**2).sum(1))
        returns = torch.stack(rewards).flip(0).cumsum(0).flip(0)
        values = torch.stack(values)
        advantage = (returns - values).detach()
        actor = -(torch.stack(logps) * advantage / (advantage.std() + 1e-6)).mean()
        loss = actor + 0.1 * F.mse_loss(values, returns) - 0.001 * torch.stack(entropies).mean()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        opt.step()
        costs.append(-returns[0].mean().item())
    return {"start": sum(costs[:5]) / 5, "cost": sum(costs[-5:]) / 5}


@healthy(split="build", odd="PPO: the ratio is clipped, so many samples have no gradient")
def clipped_policy():
    torch.manual_seed(4)
    actor = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1))
    log_std = nn.Parameter(torch.zeros(1))
    opt = torch.optim.Adam([*actor.parameters(), log_std], lr=5e-3)
    means = []
    for _ in range(40):
        state = 2 * torch.rand(256, 1) - 1
        with torch.no_grad():
            old = Normal(actor(state), log_std.exp())
            action = old.sample()
            old_logp = old.log_prob(action)
        reward = -((action - 2 * state) ** 2)
        advantage = (reward - reward.mean()) / reward.std()
        means.append(reward.mean().item())
        for _ in range(8):
            ratio = (Normal(actor(state), log_std.exp()).log_prob(action) - old_logp).exp()
            loss = -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"start": means[0], "reward": means[-1]}


@healthy(split="judge", odd="actor trained through a critic whose gradients are thrown away, targets moved softly")
def deterministic_actor():
    torch.manual_seed(5)
    actor = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1), nn.Tanh())
    critic = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1))
    slow = copy.deepcopy(critic).requires_grad_(False)
    opt_a = torch.optim.Adam(actor.parameters(), lr=2e-3)
    opt_c = torch.optim.Adam(critic.parameters(), lr=5e-3)
    for _ in range(300):
        state = torch.randn(128, 2)
        action = (actor(state) + 0.3 * torch.randn(128, 1)).clamp(-1, 1).detach()
        reward = -((action - torch.tanh(state.sum(1, keepdim=True))) ** 2)
        loss_c = F.mse_loss(critic(torch.cat([state, action], 1)), reward)
        opt_c.zero_grad()
        loss_c.backward()
        opt_c.step()
        loss_a = -critic(torch.cat([state, actor(state)], 1)).mean()
        opt_a.zero_grad()
        loss_a.backward()
        opt_a.step()
        with torch.no_grad():
            for p, q in zip(slow.parameters(), critic.parameters()):
                p.lerp_(q, 0.05)
    state = torch.randn(500, 2)
    error = ((actor(state) - torch.tanh(state.sum(1, keepdim=True))) ** 2).mean()
    return {"error": error.item(), "start": 0.55}
