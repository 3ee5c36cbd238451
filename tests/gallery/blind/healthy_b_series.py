"""State spaces, convolutions over time and speech that learn."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import healthy
from .data_b import cue, forecast, speech, tones


@healthy(
    split="blind", odd="complex decays close to 1, run as a convolution by FFT, with a tenth of the rate for the decays"
)
def a_state_space_by_fft():
    class S4D(nn.Module):
        def __init__(self, d=16, n=8):
            super().__init__()
            self.log_dt = nn.Parameter(torch.rand(d) * 3 - 4)
            self.log_re = nn.Parameter(torch.full((d, n), math.log(0.5)))
            self.im = nn.Parameter(math.pi * torch.arange(n).repeat(d, 1).float())
            self.c = nn.Parameter(torch.randn(d, n, 2) * 0.5)
            self.skip = nn.Parameter(torch.ones(d))

        def forward(self, u):
            length = u.shape[-1]
            a = (-self.log_re.exp() + 1j * self.im) * self.log_dt.exp()[:, None]
            c = torch.view_as_complex(self.c) * (a.exp() - 1)
            k = 2 * torch.einsum("dn,dnl->dl", c, (a[..., None] * torch.arange(length)).exp()).real
            y = torch.fft.irfft(torch.fft.rfft(u, 2 * length) * torch.fft.rfft(k, 2 * length), 2 * length)[..., :length]
            return y + self.skip[:, None] * u

    torch.manual_seed(207)
    x, y = cue(length=30)
    lift, ssm, fc = nn.Linear(6, 16), S4D(), nn.Linear(16, 4)
    slow = [ssm.log_dt, ssm.log_re, ssm.im]
    fast = [*lift.parameters(), ssm.c, ssm.skip, *fc.parameters()]
    opt = torch.optim.AdamW([{"params": fast}, {"params": slow, "lr": 1e-3, "weight_decay": 0.0}], lr=1e-2)
    net = lambda v: fc(F.gelu(ssm(lift(v).mT))[..., -1])  # noqa: E731
    for epoch in range(15):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y), "trivial": 0.27}


@healthy(split="blind", odd="weights by weight_norm, whose gradients are tiny beside their lengths; causal, dilated")
def a_causal_stack_with_weight_norm():
    from torch.nn.utils.parametrizations import weight_norm

    class Residual(nn.Module):
        def __init__(self, width, dilation):
            super().__init__()
            self.pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
            self.conv = weight_norm(nn.Conv1d(width, width, 3, dilation=dilation))

        def forward(self, x):
            return x + F.elu(self.conv(self.pad(x)))

    torch.manual_seed(208)
    x, y = forecast()
    net = nn.Sequential(nn.Conv1d(3, 24, 1), *[Residual(24, d) for d in (1, 2, 4)], nn.Conv1d(24, 1, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(15):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i].mT)[:, 0, -1], y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x.mT)[:, 0, -1], y).item(), "trivial": 1.0}


@healthy(split="blind", odd="CTC: the network says blank everywhere for a while before it says anything")
def symbols_after_a_silence():
    torch.manual_seed(209)
    x, said, lengths = speech()
    gru, fc = nn.GRU(8, 32, batch_first=True, bidirectional=True), nn.Linear(64, 6)
    opt = torch.optim.RMSprop([*gru.parameters(), *fc.parameters()], lr=2e-3)
    ctc = nn.CTCLoss(zero_infinity=True)
    for epoch in range(15):
        for i in torch.randperm(300).split(15):
            logp = fc(gru(x[i])[0]).log_softmax(-1).transpose(0, 1)
            loss = ctc(logp, said[i], torch.full((len(i),), 28), lengths[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    right = 0
    for path, truth, n in zip(fc(gru(x)[0]).argmax(-1), said, lengths):
        right += [s for s in torch.unique_consecutive(path).tolist() if s] == truth[:n].tolist()
    return {"accuracy": right / 300, "trivial": 0.01}


@healthy(split="blind", odd="plain: convolutions over waves with batch norm and Adam")
def waves_by_plain_convolutions():
    torch.manual_seed(212)
    x, y = tones()
    net = nn.Sequential(
        nn.Conv1d(1, 16, 7, stride=2),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Conv1d(16, 32, 5),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(32, 4),
    )
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(15):
        net.train()
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}
