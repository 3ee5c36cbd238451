"""What the loss is made of: bounded outputs, signs, sums, and outputs that do not look at the input."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, diabetes, digit_images, digits, regression, waves, wine
from ..score import accuracy
from ..table import healthy, sick


def fit(net, x, y, opt, loss_of, steps=150, rows=64):
    for _ in range(steps):
        pick = torch.randint(len(x), (rows,))
        opt.zero_grad()
        loss = loss_of(net(x[pick]), y[pick])
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT405", split="build", note="a sigmoid before standardised targets")
def sigmoid_for_standardised_targets():
    torch.manual_seed(81)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    return fit(net, x, y[:, None], opt, F.mse_loss)


@sick("UT405", split="judge", note="a rectified output, with the squared error written by hand")
def rectified_forecast():
    class Forecast(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

        def forward(self, x):
            return F.relu(self.out(self.rnn(x)[0][:, -1])).squeeze(-1)

    torch.manual_seed(82)
    x, y = waves()
    net = Forecast()
    opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    return fit(net, x, y.squeeze(-1), opt, lambda out, target: ((out - target) ** 2).mean(), steps=80)


@sick("UT405", split="judge", note="tanh for targets of up to 30")
def tanh_for_large_targets():
    torch.manual_seed(83)
    x, y = regression()
    net = nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 1), nn.Tanh())
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    return fit(net, x, 12 * y[:, None], opt, F.smooth_l1_loss)


@healthy(split="build", odd="a sigmoid output for pixels in 0 to 1")
def sigmoid_for_pixels():
    torch.manual_seed(84)
    x, _ = digits()
    net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 64), nn.Sigmoid())
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    return fit(net, x, x, opt, F.mse_loss, steps=300)


@healthy(split="build", odd="a tanh output for targets scaled to 0.9")
def tanh_for_scaled_targets():
    torch.manual_seed(85)
    x, y = regression()
    net = nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 1), nn.Tanh())
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    return fit(net, x, 0.9 * y[:, None] / y.abs().max(), opt, F.mse_loss)


class Averaged(nn.Module):
    """A classifier that averages over the wrong dimension."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.embed = nn.Conv2d(1, 16, 3, padding=1)
        self.out = nn.Linear(16, 10)

    def forward(self, x):
        pieces = F.gelu(self.embed(x)).flatten(2).mean(-1)
        return self.out(pieces - pieces + pieces.mean(self.dim, keepdim=True).expand_as(pieces))


@sick("UT406", split="build", note="averaged over the batch instead of over positions")
def averaged_over_the_batch():
    torch.manual_seed(86)
    x, y = digit_images()
    net = Averaged(dim=0)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    return fit(net, x, y, opt, F.cross_entropy)


@sick("UT407", split="build", note="reduction='sum' with a rate for a mean")
def summed_over_the_batch():
    torch.manual_seed(87)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    return fit(net, x, y, opt, lambda out, labels: F.cross_entropy(out, labels, reduction="sum"), rows=128)


@sick("UT407", split="judge", note="the squared error is added up by hand")
def squares_added_up():
    torch.manual_seed(88)
    x, y = regression()
    net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    return fit(net, x, y[:, None], opt, lambda out, target: ((out - target) ** 2).sum())


@healthy(split="build", odd="a summed loss under Adam, whose steps do not depend on it")
def summed_under_adam():
    torch.manual_seed(89)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    return fit(net, x, y, opt, lambda out, labels: F.cross_entropy(out, labels, reduction="sum")) | {
        "accuracy": accuracy(net, x, y)
    }


@sick("UT409", split="build", note="the loss was given a minus")
def minus_before_the_loss():
    torch.manual_seed(90)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    return fit(net, x, y, opt, lambda out, labels: -F.cross_entropy(out, labels))


@sick("UT409", split="judge", note="the gradient is added by hand")
def adds_the_gradient():
    torch.manual_seed(91)
    x, y = cancer()
    w1 = (0.2 * torch.randn(30, 16)).requires_grad_()
    w2 = (0.2 * torch.randn(16, 2)).requires_grad_()
    for _ in range(100):
        loss = F.cross_entropy(torch.tanh(x @ w1) @ w2, y)
        loss.backward()
        with torch.no_grad():
            for w in (w1, w2):
                w += 0.1 * w.grad
                w.grad = None
    return {"loss": loss.item()}


@healthy(split="build", odd="the likelihood is maximised, with maximize=True")
def likelihood_maximised():
    torch.manual_seed(92)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3, maximize=True)
    return fit(net, x, y, opt, lambda out, labels: out.log_softmax(-1).gather(1, labels[:, None]).mean())
