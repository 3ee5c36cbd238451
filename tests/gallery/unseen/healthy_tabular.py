"""Tables learned by many optimizers, as other people might train them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split

from ..data import cancer, diabetes, iris, moons, raw_diabetes, regression, wine
from ..score import accuracy, hits, matches
from ..table import healthy


class Learner:
    def __init__(self, net, opt, loss_fn):
        self.net, self.opt, self.loss_fn = net, opt, loss_fn

    def one_epoch(self, loader):
        self.net.train()
        for xb, yb in loader:
            self.opt.zero_grad()
            self.loss = self.loss_fn(self.net(xb), yb)
            self.loss.backward()
            self.opt.step()

    @torch.no_grad()
    def validate(self, loader):
        self.net.eval()
        return sum(self.loss_fn(self.net(xb), yb).item() for xb, yb in loader) / len(loader)


@healthy(split="unseen", odd="NAdam, validation after each epoch, patience")
def learner_with_patience():
    torch.manual_seed(1)
    x, y = wine()
    train, valid = random_split(TensorDataset(x, y), [138, 40])
    net = nn.Sequential(nn.Linear(13, 24), nn.Mish(), nn.Linear(24, 3))
    learner = Learner(net, torch.optim.NAdam(net.parameters(), lr=3e-3), nn.CrossEntropyLoss())
    best = 9.0
    for _ in range(20):
        learner.one_epoch(DataLoader(train, batch_size=23, shuffle=True))
        best = min(best, learner.validate(DataLoader(valid, batch_size=40)))
    return {"loss": learner.loss.item(), "best": best, "accuracy": accuracy(net, x, y)}


@healthy(split="unseen", odd="Adamax with dropout on inputs and hidden units")
def adamax_with_dropout():
    torch.manual_seed(2)
    x, y = cancer()
    net = nn.Sequential(
        nn.Dropout(0.2), nn.Linear(30, 32), nn.PReLU(), nn.Dropout(0.5), nn.Linear(32, 1), nn.Flatten(0)
    )
    learner = Learner(net, torch.optim.Adamax(net.parameters(), lr=5e-3), nn.BCEWithLogitsLoss())
    for _ in range(12):
        learner.one_epoch(DataLoader(TensorDataset(x, y.float()), batch_size=32, shuffle=True))
    net.eval()
    return {"loss": learner.loss.item(), "accuracy": hits(net(x), y)}


@healthy(split="unseen", odd="LBFGS with a line search and a penalty")
def lbfgs_strong_wolfe():
    torch.manual_seed(3)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0))
    opt = torch.optim.LBFGS(net.parameters(), max_iter=4, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = F.mse_loss(net(x), y) + 1e-3 * sum(p.pow(2).sum() for p in net.parameters())
        loss.backward()
        return loss

    losses = [opt.step(closure).item() for _ in range(60)]
    return {"first": losses[0], "loss": losses[-1]}


@healthy(split="unseen", odd="maxout units, centred RMSprop with momentum")
def maxout():
    class Maxout(nn.Module):
        def __init__(self):
            super().__init__()
            self.pieces = nn.Linear(4, 36)
            self.vote = nn.Linear(12, 3)

        def forward(self, flower):
            return self.vote(self.pieces(flower).view(-1, 12, 3).amax(-1))

    torch.manual_seed(4)
    x, y = iris()
    net = Maxout()
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3, centered=True, momentum=0.5)
    for _ in range(15):
        for i in torch.randperm(150).split(16):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="unseen", odd="batches of 3: the loss is mostly noise, the rate small")
def batches_of_three():
    torch.manual_seed(5)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 1))
    opt = torch.optim.SGD(net.parameters(), lr=5e-3)
    for epoch in range(2):
        for i in torch.randperm(len(x)).split(3):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "whole": F.mse_loss(net(x).squeeze(1), y).item()}


@healthy(split="unseen", odd="triangular rates with momentum cycled the other way")
def triangular_rates():
    torch.manual_seed(6)
    x, y = moons(600, 0.15)
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    cycle = torch.optim.lr_scheduler.CyclicLR(opt, 0.01, 0.15, step_size_up=20, mode="triangular2")
    for _ in range(240):
        i = torch.randint(600, (60,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
        cycle.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="unseen", odd="the loss is multiplied by 100 000; AdamW does not mind")
def loss_times_a_hundred_thousand():
    torch.manual_seed(7)
    x, y = regression()
    net = nn.Sequential(nn.Linear(10, 32), nn.GELU(), nn.Linear(32, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(len(x), (50,))
        loss = 1e5 * F.mse_loss(net(x[i]).squeeze(1), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="unseen", odd="a loss of 1e-8 and Adam with an epsilon to match")
def loss_of_a_hundred_millionth():
    torch.manual_seed(8)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 16), nn.Softplus(), nn.Linear(16, 3))
    opt = torch.optim.Adam(net.parameters(), lr=0.01, eps=1e-16)
    for _ in range(100):
        loss = F.cross_entropy(net(x), y) * 1e-8
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="unseen", odd="each gradient is clipped to a norm of 0.2, nearly always")
def clipped_to_a_fifth():
    torch.manual_seed(9)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    for _ in range(150):
        i = torch.randint(len(x), (48,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.2)
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="unseen", odd="a static loss scale of 1024, taken out of the gradients by hand")
def static_loss_scale():
    torch.manual_seed(10)
    x, y = iris()
    net = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(100):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        (loss * 1024).backward()
        for p in net.parameters():
            p.grad /= 1024
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="unseen", odd="targets of 25 to 346; the output bias starts at their mean")
def raw_targets_with_bias_at_mean():
    torch.manual_seed(11)
    x, _ = diabetes()
    _, y = raw_diabetes()
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    nn.init.constant_(net[2].bias, y.mean().item())
    opt = torch.optim.Adam(net.parameters(), lr=0.03)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="unseen", odd="quantiles by the pinball loss, three outputs against one target on purpose")
def three_quantiles():
    torch.manual_seed(12)
    x, y = diabetes()
    levels = torch.tensor([0.1, 0.5, 0.9])
    net = nn.Sequential(nn.Linear(10, 24), nn.SiLU(), nn.Linear(24, 3))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        gap = y[i].unsqueeze(1) - net(x[i])
        loss = torch.maximum(levels * gap, (levels - 1) * gap).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "below": (y.unsqueeze(1) < net(x)).float().mean(0)[2].item()}


@healthy(split="unseen", odd="a mixture of densities: likelihood of an ambiguous target")
def mixture_density():
    torch.manual_seed(13)
    t = torch.rand(500, 1) * 2 - 1
    y = t * torch.where(torch.rand(500, 1) < 0.5, 1.0, -1.0) + 0.05 * torch.randn(500, 1)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 9))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(250):
        weight, mean, spread = net(t).chunk(3, 1)
        parts = torch.distributions.Normal(mean, spread.exp().clamp(1e-2, 10)).log_prob(y)
        loss = -(weight.log_softmax(1) + parts).logsumexp(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="unseen", odd="graph of neighbours, two rounds, half of the labels hidden")
def graph_convolution():
    torch.manual_seed(14)
    x, y = wine()
    near = torch.cdist(x, x).topk(6, largest=False).indices
    edges = torch.zeros(178, 178).scatter(1, near, 1 / 6)
    first, second = nn.Linear(13, 16), nn.Linear(16, 3)
    opt = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=0.02, weight_decay=5e-4)
    known = torch.randperm(178)[:90]
    for _ in range(100):
        scores = edges @ second(torch.relu(edges @ first(x)))
        loss = F.cross_entropy(scores[known], y[known])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, y)}
