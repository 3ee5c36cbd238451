"""Unusual optimizers, rates, precisions and orders of calls that suit their networks."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..score import accuracy, matches
from ..table import healthy
from .data_b import cue, forecast, motifs, patches, pixels, snippets, tagged, tones, windows


def conv_net(width=24):
    return nn.Sequential(
        nn.Conv1d(1, width, 7, stride=2),
        nn.ReLU(),
        nn.Conv1d(width, width, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(width, 4),
    )


@healthy(split="blind", odd="a loss summed over the batch and over time, with a rate of 1e-3 that is meant for it")
def added_up_with_a_small_rate():
    torch.manual_seed(291)
    data, symbols = windows(32)
    emb, gru, fc = nn.Embedding(symbols, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, symbols)
    opt = torch.optim.SGD([*emb.parameters(), *gru.parameters(), *fc.parameters()], lr=1e-3, momentum=0.9)
    for epoch in range(10):
        for i in torch.randperm(len(data)).split(20):
            logits = fc(gru(emb(data[i, :-1]))[0])
            loss = F.cross_entropy(logits.flatten(0, 1), data[i, 1:].flatten(), reduction="sum")
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(fc(gru(emb(data[:, :-1]))[0]), data[:, 1:]), "trivial": 0.17}


@healthy(
    split="blind", odd="one cycle of the rate, up to 0.2 by SGD: the loss bulges in the middle and falls at the end"
)
def one_cycle_up_and_down():
    torch.manual_seed(292)
    x, y = tones()
    net = conv_net()
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.2, total_steps=20 * 20)
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(x, y), 40, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
            sched.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}


@healthy(
    split="blind", odd="a loss in units of a millionth: gradients of 1e-8, which Adam with a small eps does not mind"
)
def a_loss_in_millionths():
    torch.manual_seed(293)
    x, y = forecast()
    net = nn.Sequential(nn.Flatten(), nn.Linear(72, 64), nn.SiLU(), nn.Linear(64, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3, eps=1e-15)
    for epoch in range(25):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            (1e-6 * F.mse_loss(net(x[i]), y[i])).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item(), "trivial": 1.0}


@healthy(split="blind", odd="AdamW with a decay of 0.5 and a rate of 0.005: strong, and the figures stay good")
def a_strong_decay_that_suits():
    torch.manual_seed(294)
    x, y = snippets()
    net = nn.Sequential(nn.EmbeddingBag(400, 64, padding_idx=0), nn.GELU(), nn.Linear(64, 4))
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.5)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}


@healthy(split="blind", odd="sharpness-aware: two backwards a step, weights pushed up the slope and put back by hand")
def up_the_slope_and_back():
    torch.manual_seed(295)
    x, y = tones()
    net = conv_net()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(800).split(50):
            F.cross_entropy(net(x[i]), y[i]).backward()
            with torch.no_grad():
                norm = torch.stack([p.grad.norm() for p in net.parameters()]).norm()
                pushes = [0.05 * p.grad / (norm + 1e-12) for p in net.parameters()]
                for p, e in zip(net.parameters(), pushes):
                    p += e
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            with torch.no_grad():
                for p, e in zip(net.parameters(), pushes):
                    p -= e
            opt.step()
            opt.zero_grad()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}


@healthy(split="blind", odd="L-BFGS on all data: the same batch each time, many backwards in a step")
def all_at_once_by_lbfgs():
    torch.manual_seed(296)
    x, y = pixels()
    net = nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10))
    opt = torch.optim.LBFGS(net.parameters(), lr=0.8, max_iter=10, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y) + 1e-4 * sum(p.square().sum() for p in net.parameters())
        loss.backward()
        return loss

    for step in range(12):
        opt.step(closure)
    return {"accuracy": accuracy(net, x, y), "trivial": 0.1}


@healthy(split="blind", odd="bfloat16 by autocast around forward and loss, weights in float32")
def patches_in_mixed_precision():
    torch.manual_seed(297)
    x, y = patches()
    net = nn.Sequential(
        nn.Linear(4, 24), nn.GELU(), nn.Flatten(), nn.Linear(384, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 10)
    )
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(40):
            opt.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.1}


@healthy(
    split="blind", odd="no module and no optimizer: functional_call, grad and a new dictionary of weights each step"
)
def weights_in_a_dictionary():
    from torch.func import functional_call, grad

    torch.manual_seed(298)
    x, y = motifs()
    net = nn.Sequential(nn.Embedding(12, 12), nn.Flatten(), nn.Linear(360, 64), nn.ReLU(), nn.Linear(64, 4))
    params = {k: v.detach() for k, v in net.named_parameters()}
    speed = {k: torch.zeros_like(v) for k, v in params.items()}

    def loss_fn(params, tokens, labels):
        return F.cross_entropy(functional_call(net, params, (tokens,)), labels)

    for epoch in range(20):
        for i in torch.randperm(800).split(40):
            grads = grad(loss_fn)(params, x[i], y[i])
            speed = {k: 0.9 * v + grads[k] for k, v in speed.items()}
            params = {k: v - 0.05 * speed[k] for k, v in params.items()}
    return {"accuracy": matches(functional_call(net, params, (x,)), y), "trivial": 0.27}


@healthy(split="blind", odd="steps by the sign of a momentum: each is as large as the last, whatever the gradient")
def steps_by_sign():
    class Lion(torch.optim.Optimizer):
        def __init__(self, params, lr, betas=(0.9, 0.99), decay=0.1):
            super().__init__(params, dict(lr=lr, betas=betas, decay=decay))

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    m = self.state[p].setdefault("m", torch.zeros_like(p))
                    direction = (m * group["betas"][0] + p.grad * (1 - group["betas"][0])).sign()
                    p.mul_(1 - group["lr"] * group["decay"]).sub_(group["lr"] * direction)
                    m.lerp_(p.grad, 1 - group["betas"][1])

    torch.manual_seed(299)
    x, y, _ = tagged()
    emb, gru, fc = nn.Embedding(21, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 4)
    opt = Lion([*emb.parameters(), *gru.parameters(), *fc.parameters()], lr=2e-3)
    for epoch in range(15):
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            F.cross_entropy(fc(gru(emb(x[i]))[0]).mT, y[i]).backward()
            opt.step()
    out = fc(gru(emb(x))[0])
    return {"accuracy": matches(out[y >= 0], y[y >= 0]), "trivial": 0.33}


@healthy(split="blind", odd="the loss is multiplied by 4096 and the gradients are divided by it before the step")
def scaled_up_and_down_again():
    torch.manual_seed(300)
    x, y = cue(length=6)
    gru, fc = nn.GRU(6, 24, batch_first=True), nn.Linear(24, 4)
    params, scale = [*gru.parameters(), *fc.parameters()], 4096.0
    opt = torch.optim.SGD(params, lr=0.3, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            (scale * F.cross_entropy(fc(gru(x[i])[1][0]), y[i])).backward()
            for p in params:
                p.grad /= scale
            opt.step()
    return {"accuracy": matches(fc(gru(x)[1][0]), y), "trivial": 0.27}


@healthy(
    split="blind", odd="no step in the loop: every parameter has an optimizer of its own that a hook runs in backward"
)
def steps_inside_of_backward():
    torch.manual_seed(301)
    x, y = tones()
    net = conv_net()
    optimizers = {p: torch.optim.Adam([p], lr=4e-3, foreach=False) for p in net.parameters()}

    def hook(p):
        optimizers[p].step()
        optimizers[p].zero_grad()

    for p in net.parameters():
        p.register_post_accumulate_grad_hook(hook)
    for epoch in range(15):
        for i in torch.randperm(800).split(40):
            F.cross_entropy(net(x[i]), y[i]).backward()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}


@healthy(
    split="blind", odd="weights averaged over the last epochs at a constant high rate; the loss itself stays rough"
)
def an_average_of_rough_weights():
    torch.manual_seed(302)
    x, y = patches()
    x = x.flatten(1)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    average = torch.optim.swa_utils.AveragedModel(net)
    opt = torch.optim.SGD(net.parameters(), lr=0.5)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(25):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
        if epoch >= 8:
            average.update_parameters(net)
    return {"accuracy": accuracy(average, x, y), "trivial": 0.1}


@healthy(split="blind", odd="warm restarts: the rate jumps up a hundredfold every few epochs and the loss with it")
def restarts_of_a_cosine():
    torch.manual_seed(303)
    x, y = forecast()
    lstm, fc = nn.LSTM(3, 24, batch_first=True), nn.Linear(24, 1)
    params = [*lstm.parameters(), *fc.parameters()]
    opt = torch.optim.AdamW(params, lr=1e-2)
    sched = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=100, eta_min=1e-4)
    for epoch in range(15):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(fc(lstm(x[i])[0][:, -1])[:, 0], y[i]).backward()
            nn.utils.clip_grad_norm_(params, 1.0)
            opt.step()
            sched.step()
    return {"error": F.mse_loss(fc(lstm(x)[0][:, -1])[:, 0], y).item(), "trivial": 1.0}


@healthy(split="blind", odd="gradients of eight micro-batches of 5, each divided by eight; most backwards have no step")
def eight_small_parts_of_a_step():
    torch.manual_seed(304)
    x, y = motifs()
    emb, conv, fc = nn.Embedding(12, 16), nn.Conv1d(16, 32, 3), nn.Linear(32, 4)
    opt = torch.optim.Adam([*emb.parameters(), *conv.parameters(), *fc.parameters()], lr=6e-3)
    net = lambda t: fc(F.relu(conv(emb(t).mT)).amax(-1))  # noqa: E731
    for epoch in range(12):
        for n, i in enumerate(torch.randperm(800).split(5)):
            (F.cross_entropy(net(x[i]), y[i]) / 8).backward()
            if n % 8 == 7:
                opt.step()
                opt.zero_grad()
    return {"accuracy": matches(net(x), y), "trivial": 0.27}
