"""Agents that learn, whose losses mean little."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical, Normal

from ..score import matches
from ..table import healthy
from .data_b import Catch, seeded


@healthy(split="blind", odd="returns are normalised over the batch, so the loss stays around 0 and rises")
def a_policy_from_normalised_returns():
    torch.manual_seed(261)
    env = Catch(seed=261)
    policy = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 3))
    opt = torch.optim.Adam(policy.parameters(), lr=5e-3)
    won = []
    for episode in range(300):
        s, over, logs = env.reset(), False, []
        while not over:
            d = Categorical(logits=policy(s))
            a = d.sample()
            logs.append(d.log_prob(a))
            s, r, over = env.step(a)
        gain = (r - r.mean()) / (r.std() + 1e-6)
        loss = -(torch.stack(logs).sum(0) * gain).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        won.append((r > 0).float().mean().item())
    return {"accuracy": sum(won[-20:]) / 20, "trivial": 0.2}


@healthy(
    split="blind", odd="one optimizer, actor and critic on one body, entropy bonus, advantages detached, norms clipped"
)
def actor_critic_with_generalised_advantages():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.pi, self.v = nn.Sequential(nn.Linear(16, 64), nn.Tanh()), nn.Linear(64, 3), nn.Linear(64, 1)
            nn.init.orthogonal_(self.pi.weight, 0.01)

        def forward(self, s):
            h = self.body(s)
            return Categorical(logits=self.pi(h)), self.v(h)[..., 0]

    torch.manual_seed(262)
    env, net = Catch(games=48, seed=262), Net()
    opt = torch.optim.RMSprop(net.parameters(), lr=3e-3, alpha=0.99, eps=1e-5)
    won = []
    for update in range(350):
        s, over, states, actions, rewards = env.reset(), False, [], [], []
        while not over:
            with torch.no_grad():
                a = net(s)[0].sample()
            states, actions = [*states, s], [*actions, a]
            s, r, over = env.step(a)
            rewards.append(r)
        pi, v = net(torch.stack(states))
        delta, gae, advantages = v.detach(), torch.zeros(48), []
        for t in reversed(range(len(rewards))):
            after = delta[t + 1] if t + 1 < len(rewards) else torch.zeros(48)
            gae = rewards[t] + 0.99 * after - delta[t] + 0.99 * 0.95 * gae
            advantages.insert(0, gae)
        adv = torch.stack(advantages)
        policy_loss = -(pi.log_prob(torch.stack(actions)) * adv).mean()
        loss = policy_loss + 0.5 * (v - (adv + delta)).pow(2).mean() - 0.01 * pi.entropy().mean()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        opt.step()
        won.append((r > 0).float().mean().item())
    return {"accuracy": sum(won[-20:]) / 20, "trivial": 0.2}


@healthy(split="blind", odd="a target network that no optimizer holds; the loss rises when rewards begin to spread")
def deep_q_learning_with_a_target_network():
    torch.manual_seed(263)
    env = Catch(seed=263)
    q = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))
    target = copy.deepcopy(q)
    opt = torch.optim.Adam(q.parameters(), lr=1e-3)
    memory = []
    for episode in range(80):
        s, over = env.reset(), False
        while not over:
            with torch.no_grad():
                best = q(s).argmax(1)
            a = torch.where(torch.rand(64) < max(0.05, 1 - episode / 40), torch.randint(3, (64,)), best)
            after, r, over = env.step(a)
            memory.append((s, a, r, after, torch.full((64,), 1.0 - over)))
            s = after
        memory = memory[-150:]
        s, a, r, after, alive = (torch.cat(c) for c in zip(*memory))
        for _ in range(6):
            i = torch.randint(len(s), (128,))
            with torch.no_grad():
                aim = r[i] + 0.98 * alive[i] * target(after[i]).amax(1)
            loss = F.smooth_l1_loss(q(s[i]).gather(1, a[i, None])[:, 0], aim)
            opt.zero_grad()
            loss.backward()
            opt.step()
        with torch.no_grad():
            for slow, fast in zip(target.parameters(), q.parameters()):
                slow.lerp_(fast, 0.1)
    s, over = env.reset(), False
    while not over:
        s, r, over = env.step(q(s).argmax(1))
    return {"accuracy": (r > 0).float().mean().item(), "trivial": 0.2}


@healthy(split="blind", odd="clipped ratios: several epochs on the same games, most gradients cut off by the clip")
def proximal_policies():
    torch.manual_seed(264)
    env = Catch(games=128, seed=264)
    actor = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 3))
    critic = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 1))
    opt = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=4e-3)
    won = []
    for update in range(50):
        s, over, rows = env.reset(), False, []
        while not over:
            with torch.no_grad():
                d = Categorical(logits=actor(s))
                a = d.sample()
                rows.append((s, a, d.log_prob(a)))
            s, r, over = env.step(a)
        states, actions, old = (torch.cat(c) for c in zip(*rows))
        returns = r.repeat(5)
        adv = returns - critic(states).detach()[:, 0]
        adv = (adv - adv.mean()) / (adv.std() + 1e-8)
        for _ in range(4):
            for i in torch.randperm(len(states)).split(160):
                d = Categorical(logits=actor(states[i]))
                ratio = (d.log_prob(actions[i]) - old[i]).exp()
                clipped = torch.min(ratio * adv[i], ratio.clamp(0.8, 1.2) * adv[i]).mean()
                value = F.mse_loss(critic(states[i])[:, 0], returns[i])
                opt.zero_grad()
                (-clipped + 0.5 * value - 0.01 * d.entropy().mean()).backward()
                opt.step()
        won.append((r > 0).float().mean().item())
    return {"accuracy": sum(won[-5:]) / 5, "trivial": 0.2}


@healthy(
    split="blind", odd="one context and one action at a time, a running baseline, a reward in one case of five at first"
)
def a_bandit_one_at_a_time():
    torch.manual_seed(265)
    g = seeded(265)
    rule = torch.randn(6, 5, generator=g)
    net = nn.Linear(6, 5)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    baseline = 0.0
    for step in range(5000):
        context = torch.randn(1, 6, generator=g)
        d = Categorical(logits=net(context))
        action = d.sample()
        reward = float(action == (context @ rule).argmax(1))
        loss = -(reward - baseline) * d.log_prob(action).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
        baseline += 0.01 * (reward - baseline)
    x = torch.randn(2000, 6, generator=g)
    return {"accuracy": matches(net(x), (x @ rule).argmax(1)), "trivial": 0.2}


@healthy(
    split="blind", odd="the actor's loss runs through the critic, whose gradients from it are thrown away by zero_grad"
)
def a_deterministic_policy():
    torch.manual_seed(266)
    actor = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1), nn.Tanh())
    critic = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    actor_opt = torch.optim.Adam(actor.parameters(), lr=2e-3)
    critic_opt = torch.optim.Adam(critic.parameters(), lr=4e-3)
    wish = lambda s: torch.sin(s.sum(1, keepdim=True))  # noqa: E731
    for step in range(1500):
        s = torch.randn(64, 2)
        with torch.no_grad():
            a = (actor(s) + 0.4 * torch.randn(64, 1)).clamp(-1, 1)
        reward = -((a - wish(s)) ** 2)
        critic_opt.zero_grad()
        F.mse_loss(critic(torch.cat([s, a], 1)), reward).backward()
        critic_opt.step()
        actor_opt.zero_grad()
        (-critic(torch.cat([s, actor(s)], 1)).mean()).backward()
        actor_opt.step()
    s = torch.randn(2000, 2)
    return {"error": F.mse_loss(actor(s), wish(s)).item(), "trivial": 0.5}


@healthy(split="blind", odd="no backward at all: gradients are written by hand from returns of disturbed policies")
def evolution_strategies():
    torch.manual_seed(267)
    weights = nn.Parameter(torch.zeros(16, 3))
    opt = torch.optim.SGD([weights], lr=0.3, momentum=0.9)
    env = Catch(games=256, seed=267)

    def play(candidates):
        s, over = env.reset(), False
        k = len(candidates)
        while not over:
            scores = torch.einsum("kgf,kfa->kga", s.view(k, -1, 16), candidates)
            s, r, over = env.step(scores.argmax(-1).flatten())
        return r.view(k, -1).mean(1)

    for generation in range(700):
        noise = torch.randn(16, 16, 3)
        noise = torch.cat([noise, -noise])
        with torch.no_grad():
            returns = play(weights + 0.3 * noise)
        opt.zero_grad()
        weights.grad = -torch.einsum("k,kij->ij", (returns - returns.mean()) / returns.std(), noise) / 32
        opt.step()
    with torch.no_grad():
        return {"accuracy": (play(weights[None]).item() + 1) / 2, "trivial": 0.2}


@healthy(
    split="blind", odd="a squashed Gaussian policy learned off one-step rewards, with an entropy that is asked to stay"
)
def a_gaussian_policy_with_entropy():
    torch.manual_seed(268)
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    log_std = nn.Parameter(torch.zeros(1))
    opt = torch.optim.Adam([*net.parameters(), log_std], lr=5e-3)
    for step in range(1200):
        s = torch.rand(128, 2) * 2 - 1
        d = Normal(net(s)[:, 0], log_std.exp())
        a = d.sample()
        reward = -((a - 2 * s[:, 0] * s[:, 1]) ** 2)
        advantage = (reward - reward.mean()) / reward.std()
        loss = -(d.log_prob(a) * advantage).mean() - 0.001 * d.entropy().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    s = torch.rand(2000, 2) * 2 - 1
    return {"error": F.mse_loss(net(s)[:, 0], 2 * s[:, 0] * s[:, 1]).item(), "trivial": 0.44}
