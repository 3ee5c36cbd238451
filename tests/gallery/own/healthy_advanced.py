"""Healthy runs that use autograd and optimizers in less common ways."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, stack_module_state, vmap

from ..data import digits, iris, moons, waves, wine
from ..score import accuracy, hits, matches
from ..table import healthy


@healthy(split="build", odd="gradient penalty: a backward through a backward")
def gradient_penalty_gan():
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 1))
    critic = nn.Sequential(nn.Linear(1, 24), nn.Softplus(), nn.Linear(24, 1))
    opt_g = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.9))
    opt_c = torch.optim.Adam(critic.parameters(), lr=5e-3, betas=(0.5, 0.9))
    for step in range(450):
        real = 2 + 0.5 * torch.randn(64, 1)
        fake = generator(torch.randn(64, 2))
        if step % 3:
            share = torch.rand(64, 1)
            between = (share * real + (1 - share) * fake.detach()).requires_grad_()
            (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            penalty = (F.relu(slope.norm(dim=1) - 1) ** 2).mean()
            loss = critic(fake.detach()).mean() - critic(real).mean() + 10 * penalty
            opt_c.zero_grad()
            loss.backward()
            opt_c.step()
        else:
            opt_g.zero_grad()
            (-critic(fake).mean()).backward()
            opt_g.step()
    return {"mean": fake.mean().item(), "wanted": 2.0}


@healthy(split="judge", odd="the loss is made of derivatives of the network by its input")
def solves_an_oscillator():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    losses = []
    for _ in range(400):
        t = (3 * torch.rand(64, 1)).requires_grad_()
        u = t * net(t)
        (v,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        zero = torch.zeros(1, 1, requires_grad=True)
        (slope,) = torch.autograd.grad((zero * net(zero)).sum(), zero, create_graph=True)
        (a,) = torch.autograd.grad(v.sum(), t, create_graph=True)
        loss = ((a + u) ** 2).mean() + ((slope - 1) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    t = torch.linspace(0, 3, 50)[:, None]
    return {"start": losses[0], "loss": losses[-1], "error": F.mse_loss(t * net(t), t.sin()).item()}


@healthy(split="build", odd="sharpness-aware: two backwards a step, at two places")
def sharpness_aware():
    torch.manual_seed(2)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    params = list(model.parameters())
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        F.cross_entropy(model(x[i]), y[i]).backward()
        norm = torch.cat([p.grad.flatten() for p in params]).norm()
        steps = [0.05 * p.grad / (norm + 1e-12) for p in params]
        with torch.no_grad():
            torch._foreach_add_(params, steps)
        opt.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        with torch.no_grad():
            torch._foreach_sub_(params, steps)
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="hooks rescale and clip gradients inside the backward")
def gradient_hooks():
    torch.manual_seed(3)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 3))
    for p in net.parameters():
        p.register_hook(lambda grad: grad.clamp(-0.01, 0.01))
    opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    for _ in range(120):
        loss = F.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="an ensemble by vmap over stacked parameters; no module's own parameter is trained")
def vmapped_ensemble():
    torch.manual_seed(4)
    x, y = iris()
    models = [nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 3)) for _ in range(4)]
    params, buffers = stack_module_state(models)
    opt = torch.optim.Adam(params.values(), lr=0.01)

    def forward(p, b, inputs):
        return functional_call(models[0], (p, b), (inputs,))

    for _ in range(120):
        scores = vmap(forward, in_dims=(0, 0, None))(params, buffers, x)
        loss = F.cross_entropy(scores.flatten(0, 1), y.repeat(4))
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores.mean(0), y)}


@healthy(split="judge", odd="an optimizer of one's own: sign of the momentum")
def lion_by_hand():
    class Lion(torch.optim.Optimizer):
        def __init__(self, params, lr=1e-3, betas=(0.9, 0.99)):
            super().__init__(params, {"lr": lr, "betas": betas})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                fast, slow = group["betas"]
                for p in group["params"]:
                    momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                    p.add_(torch.lerp(p.grad, momentum, fast).sign(), alpha=-group["lr"])
                    momentum.lerp_(p.grad, 1 - slow)

    torch.manual_seed(5)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 48), nn.GELU(), nn.Linear(48, 10))
    opt = Lion(model.parameters(), lr=2e-3)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        opt.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="meta-learning: gradients through an inner step of gradient descent")
def learns_to_learn():
    torch.manual_seed(6)
    net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    losses = []
    for _ in range(200):
        loss = 0.0
        for _ in range(3):
            phase = 3.14 * torch.rand(1)
            x = 4 * torch.rand(20, 1) - 2
            y = torch.sin(x + phase)
            weights = dict(net.named_parameters())
            inner = F.mse_loss(functional_call(net, weights, (x[:10],)), y[:10])
            grads = torch.autograd.grad(inner, weights.values(), create_graph=True)
            adapted = {name: w - 0.1 * g for (name, w), g in zip(weights.items(), grads)}
            loss = loss + F.mse_loss(functional_call(net, adapted, (x[10:],)), y[10:]) / 3
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"start": sum(losses[:10]) / 10, "loss": sum(losses[-10:]) / 10}


@healthy(split="judge", odd="weights split into length and direction; recurrence as an Euler solver")
def neural_flow():
    class Flow(nn.Module):
        def __init__(self):
            super().__init__()
            norm = nn.utils.parametrizations.weight_norm
            self.field = nn.Sequential(norm(nn.Linear(4, 32)), nn.Tanh(), norm(nn.Linear(32, 4)))
            self.out = nn.Linear(4, 1)

        def forward(self, x):
            h = F.pad(x, (0, 2))
            for _ in range(10):
                h = h + 0.2 * self.field(h)
            return self.out(h)

    torch.manual_seed(7)
    x, y = moons()
    model = Flow()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        loss = F.binary_cross_entropy_with_logits(model(x).squeeze(1), y.float())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), y)}


@healthy(split="build", odd="backward called by autograd.grad; gradients put in place by hand")
def gradients_by_hand():
    torch.manual_seed(8)
    x, y = waves(256, 20)
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, 24), nn.ReLU(), nn.Linear(24, 1))
    opt = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    params = list(model.parameters())
    for _ in range(150):
        loss = F.mse_loss(model(x), y)
        for p, g in zip(params, torch.autograd.grad(loss, params)):
            p.grad = g
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="judge", odd="two optimizers take turns: one for weights, one for scales of the loss")
def learned_loss_weights():
    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
            self.digit, self.ink = nn.Linear(48, 10), nn.Linear(48, 1)

        def forward(self, x):
            h = self.trunk(x)
            return self.digit(h), self.ink(h)

    torch.manual_seed(9)
    x, y = digits()
    ink = (x.mean(1, keepdim=True) - x.mean()) / x.mean(1).std()
    model, log_var = TwoHeads(), torch.zeros(2, requires_grad=True)
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    opt_scale = torch.optim.SGD([log_var], lr=0.02)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        digit, amount = model(x[i])
        losses = torch.stack([F.cross_entropy(digit, y[i]), F.mse_loss(amount, ink[i])])
        loss = (losses * (-log_var).exp() + log_var).sum()
        opt.zero_grad()
        opt_scale.zero_grad()
        loss.backward()
        opt.step()
        opt_scale.step()
    return {"digit": losses[0].item(), "ink": losses[1].item(), "accuracy": matches(digit, y[i])}
