"""Losses not meant to fall, frozen parts and other odd trainings, as other people might run them."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digit_images, digits, iris, moons, wine
from ..score import accuracy, matches
from ..table import healthy


def pretrained(x, y, classes, steps=100):
    model = nn.Sequential(nn.Linear(x.size(1), 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, classes))
    fit(model, torch.optim.Adam(model.parameters(), lr=0.01), x, y, steps)
    return model


def fit(model, opt, x, y, steps):
    for _ in range(steps):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return loss.item()


@healthy(split="unseen", odd="two players on a bimodal line; losses stay where they are")
def gan_on_a_line():
    torch.manual_seed(41)
    maker = nn.Sequential(nn.Linear(4, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1))
    critic = nn.Sequential(nn.Linear(1, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1))
    opt_m = torch.optim.Adam(maker.parameters(), lr=2e-3, betas=(0.5, 0.99))
    opt_c = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.99))
    for _ in range(180):
        real = 2 + 0.5 * torch.randn(64, 1)
        fake = maker(torch.randn(64, 4))
        loss_c = F.softplus(-critic(real)).mean() + F.softplus(critic(fake.detach())).mean()
        opt_c.zero_grad()
        loss_c.backward()
        opt_c.step()
        loss_m = F.softplus(-critic(fake)).mean()
        opt_m.zero_grad()
        loss_m.backward()
        opt_m.step()
    return {"loss": loss_m.item(), "mean": maker(torch.randn(500, 4)).mean().item()}


@healthy(split="unseen", odd="REINFORCE with a running baseline; rewards rise, the loss means nothing")
def policy_with_baseline():
    torch.manual_seed(42)
    x, y = iris()
    policy = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 3))
    opt = torch.optim.Adam(policy.parameters(), lr=0.01)
    baseline = 0.0
    for _ in range(250):
        i = torch.randint(150, (50,))
        choice = torch.distributions.Categorical(logits=policy(x[i]))
        action = choice.sample()
        reward = (action == y[i]).float()
        loss = -((reward - baseline) * choice.log_prob(action)).mean() - 0.01 * choice.entropy().mean()
        baseline = 0.9 * baseline + 0.1 * reward.mean().item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "reward": reward.mean().item()}


@healthy(split="unseen", odd="Q-learning on a ring with a target network; the loss rises with the values")
def ring_of_states():
    torch.manual_seed(43)
    q = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    target = copy.deepcopy(q)
    opt = torch.optim.Adam(q.parameters(), lr=5e-3)
    one_hot = torch.eye(8)
    for step in range(300):
        state, action = torch.randint(8, (64,)), torch.randint(2, (64,))
        after = (state + 2 * action - 1) % 8
        with torch.no_grad():
            wanted = (after == 0).float() + 0.8 * target(one_hot[after]).amax(1)
        value = q(one_hot[state]).gather(1, action[:, None]).squeeze(1)
        loss = F.smooth_l1_loss(value, wanted)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 20 == 0:
            target.load_state_dict(q.state_dict())
    return {"loss": loss.item(), "value": q(one_hot).max().item()}


@healthy(split="unseen", odd="a VAE whose KL weight grows from 0: the loss may rise")
def vae_with_annealing():
    torch.manual_seed(44)
    x, _ = digits()
    enc = nn.Sequential(nn.Linear(64, 48), nn.SiLU(), nn.Linear(48, 8))
    dec = nn.Sequential(nn.Linear(4, 48), nn.SiLU(), nn.Linear(48, 64))
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=3e-3)
    for step in range(250):
        batch = x[torch.randint(len(x), (64,))]
        mean, log_var = enc(batch).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        rebuilt = F.binary_cross_entropy_with_logits(dec(code), batch, reduction="sum") / 64
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1).mean()
        loss = rebuilt + min(1.0, step / 150) * kl
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "rebuilt": rebuilt.item()}


@healthy(split="unseen", odd="supervised contrast over a batch: the loss stays above 2 by its nature")
def supervised_contrast():
    torch.manual_seed(45)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(150):
        i = torch.randperm(len(x))[:64]
        z = F.normalize(net(x[i]), dim=1)
        alike = (y[i][:, None] == y[i]).float().fill_diagonal_(0)
        log_p = (z @ z.T / 0.3).fill_diagonal_(-1e4).log_softmax(1)
        loss = -((alike * log_p).sum(1) / alike.sum(1).clamp(min=1)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="unseen", odd="distillation by logits, the teacher in eval mode without gradients")
def logits_of_a_teacher():
    torch.manual_seed(46)
    x, y = digits()
    teacher = pretrained(x, y, 10).eval().requires_grad_(False)
    student = nn.Sequential(nn.Linear(64, 12), nn.GELU(), nn.Linear(12, 10))
    opt = torch.optim.AdamW(student.parameters(), lr=0.01)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.mse_loss(student(x[i]), teacher(x[i]))
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(student, x, y)}


@healthy(split="unseen", odd="two tasks weighed by learned uncertainties; the loss goes below 0")
def tasks_weighed_by_uncertainty():
    torch.manual_seed(47)
    x, y = digits()
    body, kind, ink = nn.Sequential(nn.Linear(64, 48), nn.ReLU()), nn.Linear(48, 10), nn.Linear(48, 1)
    logs = nn.Parameter(torch.zeros(2))
    opt = torch.optim.Adam([*body.parameters(), *kind.parameters(), *ink.parameters(), logs], lr=5e-3)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        h = body(x[i])
        tasks = torch.stack([F.cross_entropy(kind(h), y[i]), F.mse_loss(ink(h).squeeze(1), x[i].mean(1))])
        loss = (tasks * (-logs).exp() + logs).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(kind(body(x)), y)}


@healthy(split="unseen", odd="frozen convolutions in eval mode under a new head")
def new_head_on_frozen_convolutions():
    torch.manual_seed(48)
    x, y = digit_images()
    trunk = nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    fit(nn.Sequential(trunk, nn.Linear(144, 2)), torch.optim.Adam(trunk.parameters(), lr=0.01), x, y % 2, 60)
    trunk.eval().requires_grad_(False)
    model = nn.Sequential(trunk, nn.Linear(144, 10))
    opt = torch.optim.SGD(model[1].parameters(), lr=0.05, momentum=0.9)
    loss = fit(model, opt, x, y, 150)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="only the biases are trained, after pretraining on the other half")
def biases_only():
    torch.manual_seed(49)
    x, y = digits()
    model = pretrained(x[:900], y[:900], 10)
    for name, p in model.named_parameters():
        p.requires_grad_("bias" in name)
    shifted = x + 0.3
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    loss = fit(model, opt, shifted, y, 150)
    return {"loss": loss, "accuracy": accuracy(model, shifted, y)}


@healthy(split="unseen", odd="fine-tuned at 1e-6 by AdamW: nothing seems to happen")
def fine_tuned_at_a_millionth():
    torch.manual_seed(50)
    x, y = cancer()
    model = pretrained(x, y, 2)
    loss = fit(model, torch.optim.AdamW(model.parameters(), lr=1e-6), x, y, 100)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="weights made by another network from an embedding of the task")
def weights_from_a_hypernetwork():
    torch.manual_seed(51)
    x, y = wine()
    task, maker = nn.Embedding(1, 8), nn.Linear(8, 13 * 3 + 3)
    opt = torch.optim.Adam([*task.parameters(), *maker.parameters()], lr=0.01)
    for _ in range(100):
        made = maker(task.weight[0])
        scores = x @ made[:39].view(13, 3) + made[39:]
        loss = F.cross_entropy(scores, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, y)}


@healthy(split="unseen", odd="matrix factorisation with biases, most ratings missing")
def ratings_by_factors():
    torch.manual_seed(52)
    truth = torch.randn(60, 3) @ torch.randn(3, 40)
    seen = torch.rand(60, 40).lt(0.4).nonzero()
    users, items = nn.Embedding(60, 4), nn.Embedding(40, 4)
    opt = torch.optim.Adam([*users.parameters(), *items.parameters()], lr=0.03)
    for _ in range(250):
        u, v = seen[torch.randint(len(seen), (128,))].unbind(1)
        loss = F.mse_loss((users(u) * items(v)).sum(1), truth[u, v])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": truth.var().item()}


@healthy(split="unseen", odd="perfect within 20 steps, then 200 more")
def long_after_the_goal():
    torch.manual_seed(53)
    x, y = moons(200, 0.05)
    x = x + 4 * F.one_hot(y, 2).float()
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    loss = fit(model, torch.optim.Adam(model.parameters(), lr=0.02), x, y, 220)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}
