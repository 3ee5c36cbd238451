"""Losses and activations spelled out by hand, or by other names, and what goes wrong in them."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, diabetes, digits, iris, wine
from ..table import healthy, sick


def network(inputs, hidden, outputs):
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


def fit(net, x, y, opt, loss_of, steps=200, rows=32):
    for _ in range(steps):
        pick = torch.randint(len(x), (rows,))
        opt.zero_grad()
        loss = loss_of(net(x[pick]), y[pick])
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


def shares(scores):
    e = torch.exp(scores - scores.max(1, keepdim=True).values)
    return e / e.sum(1, keepdim=True)


@sick("UT401", split="build", note="a softmax by exp and sum, and then cross-entropy")
def softmax_by_exponentials_twice():
    torch.manual_seed(301)
    x, y = iris()
    net = network(4, 32, 3)
    return fit(net, x, y, torch.optim.SGD(net.parameters(), lr=0.05), lambda a, b: F.cross_entropy(shares(a), b))


@healthy(split="build", odd="a softmax by exp and sum, its logarithm, and the likelihood of that")
def softmax_by_exponentials_once():
    torch.manual_seed(301)
    x, y = iris()
    net = network(4, 32, 3)
    return fit(net, x, y, torch.optim.SGD(net.parameters(), lr=0.05), lambda a, b: F.nll_loss(shares(a).log(), b))


@sick("UT401", split="build", note="a sigmoid by exp, and then the loss that has one in it")
def sigmoid_by_exponentials_twice():
    torch.manual_seed(302)
    x, y = cancer()
    net = network(30, 32, 1)

    def loss(scores, wanted):
        return F.binary_cross_entropy_with_logits((1 / (1 + torch.exp(-scores))).squeeze(1), wanted.float())

    return fit(net, x, y, torch.optim.Adam(net.parameters(), lr=1e-3), loss)


@sick("UT402", split="build", note="a binary cross-entropy written out, of clamped scores")
def likelihood_of_clamped_scores():
    torch.manual_seed(303)
    x, y = cancer()
    net = network(30, 32, 1)

    def loss(scores, wanted):
        p = scores.squeeze(1).clamp(1e-7, 1 - 1e-7)
        return -(wanted * torch.log(p) + (1 - wanted) * torch.log(1 - p)).mean()

    return fit(net, x, y.float(), torch.optim.Adam(net.parameters(), lr=1e-3), loss)


@healthy(split="build", odd="a binary cross-entropy written out, of clamped probabilities")
def likelihood_of_clamped_probabilities():
    torch.manual_seed(303)
    x, y = cancer()
    net = network(30, 32, 1)

    def loss(scores, wanted):
        p = torch.sigmoid(scores).squeeze(1).clamp(1e-7, 1 - 1e-7)
        return -(wanted * torch.log(p) + (1 - wanted) * torch.log(1 - p)).mean()

    return fit(net, x, y.float(), torch.optim.Adam(net.parameters(), lr=1e-3), loss)


@sick("UT403", split="build", note="nn.Softmax(dim=0), and the logarithm of it")
def softmax_along_the_examples():
    torch.manual_seed(304)
    x, y = wine()
    net = nn.Sequential(network(13, 32, 3), nn.Softmax(dim=0))
    return fit(net, x, y, torch.optim.Adam(net.parameters(), lr=3e-3), lambda a, b: F.nll_loss(torch.log(a + 1e-8), b))


@healthy(split="build", odd="similarities of each to all, with a softmax along both sides")
def softmax_along_both_sides():
    torch.manual_seed(304)
    x, _ = digits()
    left, right = network(32, 32, 16), network(32, 32, 16)
    opt = torch.optim.Adam([*left.parameters(), *right.parameters()], lr=2e-3)
    for _ in range(200):
        pick = torch.randint(len(x), (64,))
        scores = F.normalize(left(x[pick, :32]), dim=1) @ F.normalize(right(x[pick, 32:]), dim=1).T * 10
        loss = (F.cross_entropy(scores, torch.arange(64)) + F.cross_entropy(scores.T, torch.arange(64))) / 2
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT405", split="build", note="standardised numbers, and an output clamped to 0 and 1")
def clamped_to_pixels():
    torch.manual_seed(305)
    x, _ = wine()
    net = network(13, 32, 13)
    return fit(net, x, x, torch.optim.Adam(net.parameters(), lr=1e-3), lambda a, b: F.mse_loss(a.clamp(0, 1), b))


@healthy(split="build", odd="pixels, and an output clamped a little outside of where they lie")
def clamped_where_pixels_lie():
    torch.manual_seed(305)
    x, _ = digits()
    x = (x - x.min()) / (x.max() - x.min())
    net = network(64, 32, 64)
    return fit(net, x, x, torch.optim.Adam(net.parameters(), lr=2e-3), lambda a, b: F.mse_loss(a.clamp(-0.1, 1.1), b))


@sick("UT409", split="build", note="the mean of the right classes' log-probabilities, without its minus")
def likelihood_made_small():
    torch.manual_seed(306)
    x, y = iris()
    net = network(4, 32, 3)

    def loss(scores, wanted):
        return scores.log_softmax(1).gather(1, wanted[:, None]).mean()

    return fit(net, x, y, torch.optim.SGD(net.parameters(), lr=0.01), loss)


@sick("UT409", split="build", note="the logarithm of a normal density, which was to be made large, is made small")
def density_made_small():
    torch.manual_seed(307)
    x, y = diabetes()
    net = network(10, 32, 2)

    def loss(out, wanted):
        scale = out[:, 1].clamp(-3, 3)
        return (-0.5 * ((wanted - out[:, 0]) / scale.exp()) ** 2 - scale).mean()

    return fit(net, x, y, torch.optim.Adam(net.parameters(), lr=1e-3), loss, steps=400)


@healthy(
    split="build", odd="the logarithm of a normal density is made large; its data hardly vary, so it is far below 0"
)
def density_of_what_hardly_varies():
    torch.manual_seed(307)
    x = torch.randn(1000, 16) * 1e-3 + torch.randn(16)
    scale, shift = nn.Parameter(torch.zeros(16)), nn.Parameter(torch.zeros(16))
    opt = torch.optim.Adam([scale, shift], lr=0.02)
    for _ in range(400):
        rows = x[torch.randint(1000, (64,))]
        loss = (0.5 * ((rows + shift) * scale.exp()) ** 2 - scale).sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT201", split="build", note="clamp(min=0) for a rectifier, behind a bias of -6")
def clamps_that_never_open():
    torch.manual_seed(308)
    x, y = digits()
    first, second, last = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)
    nn.init.constant_(second.bias, -6.0)
    opt = torch.optim.Adam([p for layer in (first, second, last) for p in layer.parameters()], lr=1e-3)
    return fit(lambda rows: last(second(first(rows).clamp(min=0)).clamp(min=0)), x, y, opt, F.cross_entropy, steps=300)


@healthy(split="build", odd="a hinge by clamp(min=0), all of whose margins are met in the end")
def hinges_that_are_met():
    torch.manual_seed(308)
    x, y = wine()
    net = network(13, 32, 3)

    def loss(scores, wanted):
        return (1 - (scores.gather(1, wanted[:, None]) - scores)).clamp(min=0).mean()

    return fit(net, x, y, torch.optim.SGD(net.parameters(), lr=0.1), loss)


@sick("UT205", split="build", note="mean(0) where mean over something else was meant, handed to every example")
def pooled_over_the_batch():
    torch.manual_seed(309)
    x, y = wine()
    first, last = nn.Linear(13, 32), nn.Linear(32, 3)
    opt = torch.optim.Adam([*first.parameters(), *last.parameters()], lr=1e-2)

    def net(rows):
        return last(F.relu(first(rows)).mean(0, keepdim=True).expand(len(rows), -1))

    return fit(net, x, y, opt, F.cross_entropy)


@healthy(split="build", odd="the deviation over the batch as one more feature beside each example's own")
def deviation_over_the_batch_beside():
    torch.manual_seed(309)
    x, y = wine()
    first, last = nn.Linear(13, 32), nn.Linear(64, 3)
    opt = torch.optim.Adam([*first.parameters(), *last.parameters()], lr=1e-2)

    def net(rows):
        own = F.relu(first(rows))
        return last(torch.cat([own, own.std(0, keepdim=True).expand(len(rows), -1)], 1))

    return fit(net, x, y, opt, F.cross_entropy)


def views(rows):
    return rows + 0.3 * torch.randn_like(rows), rows + 0.3 * torch.randn_like(rows)


@sick("UT205", split="build", note="two views of each image are made similar, and nothing tells images apart")
def similar_views_alone():
    torch.manual_seed(310)
    x, _ = digits()
    net = network(64, 64, 16)
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(300):
        one, other = views(x[torch.randint(len(x), (64,))])
        loss = 1 - F.cosine_similarity(net(one), net(other)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="two views of each image are made similar, while each feature must vary over the batch")
def similar_views_that_must_vary():
    torch.manual_seed(310)
    x, _ = digits()
    net = network(64, 64, 16)
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(300):
        one, other = (net(view) for view in views(x[torch.randint(len(x), (64,))]))
        loss = F.mse_loss(one, other) + F.relu(1 - one.std(0)).mean() + F.relu(1 - other.std(0)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}
