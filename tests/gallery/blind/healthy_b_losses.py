"""Losses that look odd, in networks that learn."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import healthy
from .data_b import cue, forecast, motifs, patches, seeded, snippets, tagged, tones


@healthy(
    split="blind", odd="four labels of ten are wrong: the loss stays high, and the true classes are found all the same"
)
def labels_of_which_many_are_wrong():
    torch.manual_seed(311)
    x, y = tones()
    wrong = torch.rand(800) < 0.4
    seen = torch.where(wrong, torch.randint(4, (800,)), y)
    net = nn.Sequential(
        nn.Conv1d(1, 16, 7, stride=2),
        nn.ReLU(),
        nn.Conv1d(16, 16, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(20):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), seen[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}


@healthy(split="blind", odd="two classes in the ratio 1 to 30 under a focal loss, whose values are tiny")
def rare_tokens_by_focal_loss():
    torch.manual_seed(312)
    g = seeded(312)
    x = torch.randint(1, 40, (400, 16), generator=g)
    y = ((x % 6 == 0) & (F.pad(x[:, :-1], (1, 0)) % 6 == 1)).float()
    emb, conv, fc = nn.Embedding(40, 16), nn.Conv1d(16, 32, 3, padding=1), nn.Linear(32, 1)
    fc.bias.data.fill_(-3.5)
    opt = torch.optim.Adam([*emb.parameters(), *conv.parameters(), *fc.parameters()], lr=5e-3)
    net = lambda t: fc(F.relu(conv(emb(t).mT)).mT)[..., 0]  # noqa: E731
    for epoch in range(20):
        for i in torch.randperm(400).split(20):
            logit = net(x[i])
            ce = F.binary_cross_entropy_with_logits(logit, y[i], reduction="none")
            loss = ((1 - (-ce).exp()) ** 2 * ce).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        guess = net(x) > 0
    balanced = (guess[y == 1].float().mean() + (~guess[y == 0]).float().mean()) / 2
    return {"accuracy": balanced.item(), "trivial": 0.5}


@healthy(split="blind", odd="mean and spread are learned: the loss is a density, falls below 0 and goes on")
def a_forecast_with_its_spread():
    torch.manual_seed(313)
    x, y = forecast()
    gru, fc = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 2)
    opt = torch.optim.Adam([*gru.parameters(), *fc.parameters()], lr=4e-3)
    for epoch in range(15):
        for i in torch.randperm(700).split(35):
            mean, spread = fc(gru(x[i])[0][:, -1]).unbind(1)
            loss = F.gaussian_nll_loss(mean, y[i], F.softplus(spread) + 1e-4)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(fc(gru(x)[0][:, -1])[:, 0], y).item(), "trivial": 1.0}


@healthy(
    split="blind", odd="a conditional random field by hand: logsumexp over paths, losses of some tens for a sentence"
)
def a_field_of_tags():
    class CRFTagger(nn.Module):
        def __init__(self, tags=4):
            super().__init__()
            self.emb, self.gru, self.fc = nn.Embedding(21, 16), nn.GRU(16, 24, batch_first=True), nn.Linear(24, tags)
            self.move = nn.Parameter(torch.zeros(tags, tags))

        def forward(self, x):
            return self.fc(self.gru(self.emb(x))[0])

        def nll(self, x, y):
            e, mask, y = self(x), y >= 0, y.clamp(min=0)
            score = e.gather(2, y[..., None])[..., 0]
            gold = (score * mask).sum(1) + (self.move[y[:, :-1], y[:, 1:]] * mask[:, 1:]).sum(1)
            alpha = e[:, 0]
            for t in range(1, x.shape[1]):
                after = torch.logsumexp(alpha[:, :, None] + self.move, 1) + e[:, t]
                alpha = torch.where(mask[:, t, None], after, alpha)
            return (alpha.logsumexp(1) - gold).mean()

    torch.manual_seed(314)
    x, y, _ = tagged()
    net = CRFTagger()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(12):
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            net.nll(x[i], y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x)[y >= 0], y[y >= 0]), "trivial": 0.33}


@healthy(split="blind", odd="three quantiles by the pinball loss: the slope never fades, so gradients do not shrink")
def three_quantiles_of_tomorrow():
    torch.manual_seed(315)
    x, y = forecast()
    q = torch.tensor([0.1, 0.5, 0.9])
    net = nn.Sequential(nn.Flatten(), nn.Linear(72, 64), nn.ReLU(), nn.Linear(64, 3))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    sched = torch.optim.lr_scheduler.StepLR(opt, 15, 0.3)
    for epoch in range(40):
        for i in torch.randperm(700).split(35):
            miss = y[i, None] - net(x[i])
            loss = torch.maximum(q * miss, (q - 1) * miss).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
        sched.step()
    return {"error": F.mse_loss(net(x)[:, 1], y).item(), "trivial": 1.0}


@healthy(split="blind", odd="mixtures of two texts and of their labels: no batch can be fitted, the loss stays at 0.6")
def mixtures_of_two_texts():
    torch.manual_seed(316)
    x, y = snippets()
    emb, mlp = nn.EmbeddingBag(400, 48, padding_idx=0), nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 4))
    opt = torch.optim.Adam([*emb.parameters(), *mlp.parameters()], lr=5e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(32):
            j, lam = i[torch.randperm(len(i))], torch.distributions.Beta(1.0, 1.0).sample()
            out = mlp(lam * emb(x[i]) + (1 - lam) * emb(x[j]))
            loss = lam * F.cross_entropy(out, y[i]) + (1 - lam) * F.cross_entropy(out, y[j])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(mlp(emb(x)), y), "trivial": 0.26}


@healthy(split="blind", odd="two tasks weighted by learned uncertainties; the sum becomes negative")
def two_tasks_and_their_uncertainty():
    torch.manual_seed(317)
    x, y = forecast()
    rising = (y > x[:, -1, 0]).float()
    gru, value, sign = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 1), nn.Linear(32, 1)
    logvars = nn.Parameter(torch.zeros(2))
    opt = torch.optim.Adam([*gru.parameters(), *value.parameters(), *sign.parameters(), logvars], lr=5e-3)
    for epoch in range(20):
        for i in torch.randperm(700).split(35):
            h = gru(x[i])[0][:, -1]
            parts = torch.stack(
                [F.mse_loss(value(h)[:, 0], y[i]), F.binary_cross_entropy_with_logits(sign(h)[:, 0], rising[i])]
            )
            loss = (parts * (-logvars).exp() + logvars).sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(value(gru(x)[0][:, -1])[:, 0], y).item(), "trivial": 1.0}


@healthy(split="blind", odd="a gradient is turned round on purpose: the domain's loss is to stay at chance")
def a_domain_that_shall_not_show():
    class Reverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, g):
            return -0.3 * g

    torch.manual_seed(318)
    x, y = tones()
    domain = torch.randint(2, (800,), generator=seeded(318))
    x = x + 0.8 * domain[:, None, None]
    body = nn.Sequential(
        nn.Conv1d(1, 16, 7, stride=2), nn.ReLU(), nn.Conv1d(16, 24, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()
    )
    label, place = nn.Linear(24, 4), nn.Sequential(nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 2))
    opt = torch.optim.Adam([*body.parameters(), *label.parameters(), *place.parameters()], lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(800).split(40):
            h = body(x[i])
            loss = F.cross_entropy(label(h), y[i]) + F.cross_entropy(place(Reverse.apply(h)), domain[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(label(body(x)), y), "trivial": 0.26}


@healthy(split="blind", odd="margins: once an example is right by 1 it has no gradient, and most soon are")
def right_by_a_margin():
    torch.manual_seed(319)
    x, y = snippets()
    net = nn.Sequential(nn.EmbeddingBag(400, 24, padding_idx=0), nn.Linear(24, 4))
    opt = torch.optim.RMSprop(net.parameters(), lr=3e-3)
    criterion = nn.MultiMarginLoss()
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(16):
            opt.zero_grad()
            criterion(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}


@healthy(
    split="blind",
    odd="a constant of 50 for the prior is added to each loss, which therefore hardly falls in proportion",
)
def a_constant_in_the_loss():
    torch.manual_seed(320)
    x, y = cue(length=8)
    gru, fc = nn.GRU(6, 24, batch_first=True), nn.Linear(24, 4)
    opt = torch.optim.Adam([*gru.parameters(), *fc.parameters()], lr=5e-3)
    prior = 50.0
    for epoch in range(12):
        for i in torch.randperm(600).split(30):
            loss = F.cross_entropy(fc(gru(x[i])[1][0]), y[i]) + prior
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(fc(gru(x)[1][0]), y), "trivial": 0.27}


@healthy(split="blind", odd="heads after each block, each with a loss of its own, weights 0.1 for all but the last")
def a_head_after_each_block():
    torch.manual_seed(321)
    x, y = patches()
    x = x.flatten(1)
    blocks = nn.ModuleList(nn.Sequential(nn.Linear(64, 64), nn.ReLU()) for _ in range(4))
    heads = nn.ModuleList(nn.Linear(64, 10) for _ in range(4))
    opt = torch.optim.SGD([*blocks.parameters(), *heads.parameters()], lr=0.1, momentum=0.9, nesterov=True)

    def outputs(h):
        found = []
        for block, head in zip(blocks, heads):
            h = block(h)
            found.append(head(h))
        return found

    for epoch in range(10):
        for i in torch.randperm(len(x)).split(40):
            loss = sum(w * F.cross_entropy(out, y[i]) for w, out in zip((0.1, 0.1, 0.1, 1.0), outputs(x[i])))
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(outputs(x)[-1], y), "trivial": 0.1}


@healthy(
    split="blind", odd="cross-entropy in bits and per character of a mixture of two outputs whose gate starts closed"
)
def a_gate_that_begins_closed():
    torch.manual_seed(322)
    x, y = motifs()
    bag, conv, emb = nn.EmbeddingBag(12, 16), nn.Conv1d(16, 32, 3), nn.Embedding(12, 16)
    simple, deep, gate = nn.Linear(16, 4), nn.Linear(32, 4), nn.Parameter(torch.tensor(-2.0))
    parts = nn.ModuleList([bag, conv, emb, simple, deep])
    opt = torch.optim.Adam([{"params": parts.parameters()}, {"params": [gate], "lr": 5e-2}], lr=5e-3)

    def net(t):
        g = torch.sigmoid(gate)
        return (1 - g) * simple(bag(t)) + g * deep(F.relu(conv(emb(t).mT)).amax(-1))

    for epoch in range(15):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            (F.cross_entropy(net(x[i]), y[i]) / math.log(2)).backward()
            opt.step()
    return {"accuracy": matches(net(x), y), "trivial": 0.27}
