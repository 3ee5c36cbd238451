"""Settings of optimizers and schedules that do not suit."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import MultiStepLR, StepLR
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, standardized
from ..score import accuracy
from ..table import sick
from .data_a import beats, calls, discs, flats, friedman, grades, rings


@sick(
    "UT301",
    split="wild",
    note="Adam at 0.3, a small residual network",
    cured=(("lr=0.3", "lr=3e-3"),),
)
def resnet_of_digits_at_three_tenths():
    class BasicBlock(nn.Module):
        def __init__(self, a, b, stride=1):
            super().__init__()
            self.conv1 = nn.Conv2d(a, b, 3, stride, 1)
            self.conv2 = nn.Conv2d(b, b, 3, 1, 1)
            self.short = nn.Conv2d(a, b, 1, stride) if a != b else nn.Identity()

        def forward(self, x):
            return F.relu(self.short(x) + self.conv2(F.relu(self.conv1(x))))

    torch.manual_seed(120)
    x, y = digit_images()
    net = nn.Sequential(
        BasicBlock(1, 8), BasicBlock(8, 16, 2), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10)
    )
    opt = torch.optim.Adam(net.parameters(), lr=0.3)  # <- fault
    for step in range(200):
        b = torch.randint(1400, (32,))
        loss = F.cross_entropy(net(x[b]), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@sick(
    "UT301",
    split="wild",
    note="SGD with momentum at 1, a table",
    cured=(("lr=1.0", "lr=0.03"),),
)
def calls_at_a_rate_of_one():
    torch.manual_seed(121)
    x, y = calls()
    net = nn.Sequential(nn.Linear(5, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    criterion = nn.PoissonNLLLoss(log_input=True)
    opt = torch.optim.SGD(net.parameters(), lr=1.0, momentum=0.9)  # <- fault
    sched = MultiStepLR(opt, [30], gamma=0.1)
    for epoch in range(35):
        for b in torch.randperm(480).split(48):
            opt.zero_grad()
            criterion(net(x[b]).squeeze(1), y[b]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 10.0)
            opt.step()
        sched.step()
    with torch.no_grad():
        return {"error": (net(x[480:]).squeeze(1).exp() - y[480:]).abs().mean().item()}


@sick(
    "UT301",
    split="wild",
    note="AdamW at 0.1 over a U-Net's little sister",
    cured=(("lr=0.1", "lr=4e-3"),),
)
def hourglass_at_a_tenth():
    class Hourglass(nn.Module):
        def __init__(self, c=8):
            super().__init__()
            self.a = nn.Conv2d(1, c, 3, padding=1)
            self.b = nn.Conv2d(c, 2 * c, 3, stride=2, padding=1)
            self.c = nn.Conv2d(2 * c, 2 * c, 3, padding=1)
            self.d = nn.Conv2d(3 * c, c, 3, padding=1)
            self.e = nn.Conv2d(c, 1, 1)

        def forward(self, x):
            a = F.leaky_relu(self.a(x), 0.1)
            b = F.leaky_relu(self.c(F.leaky_relu(self.b(a), 0.1)), 0.1)
            up = F.interpolate(b, scale_factor=2, mode="nearest")
            return self.e(F.leaky_relu(self.d(torch.cat([a, up], 1)), 0.1))

    torch.manual_seed(122)
    image, mask = discs()
    net = Hourglass()
    opt = torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=1e-4)  # <- fault
    for step in range(150):
        i = torch.randint(260, (16,))
        opt.zero_grad()
        F.binary_cross_entropy_with_logits(net(image[i]), mask[i]).backward()
        opt.step()
    with torch.no_grad():
        found, truth = net(image[260:]) > 0, mask[260:] > 0
    return {"accuracy": ((found & truth).sum() / (found | truth).sum().clamp_min(1)).item()}


@sick(
    "UT302",
    split="wild",
    note="Adadelta with a rate that would suit Adam",
    cured=(("lr=1e-3", "lr=1.0"),),
)
def shells_by_a_timid_adadelta():
    torch.manual_seed(123)
    x, y = rings(dimensions=3)
    net = nn.Sequential(nn.Linear(3, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 3))
    opt = torch.optim.Adadelta(net.parameters(), lr=1e-3)  # <- fault
    for epoch in range(30):
        for b in torch.randperm(450).split(45):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[450:], y[450:])}


@sick(
    "UT302",
    split="wild",
    note="StepLR meant for epochs, stepped at each batch",
    cured=(("            sched.step()  # <- fault", "            pass\n        sched.step()"),),
)
def digits_with_a_rate_halved_by_the_batch():
    torch.manual_seed(124)
    x, y = digit_images()
    net = nn.Sequential(
        *[nn.Conv2d(1, 10, 3), nn.ReLU(), nn.Conv2d(10, 10, 3), nn.ReLU(), nn.Flatten()],
        *[nn.Linear(160, 40), nn.ReLU(), nn.Linear(40, 10)],
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
    sched = StepLR(opt, step_size=3, gamma=0.5)
    for epoch in range(8):
        for b in torch.randperm(1400).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
            sched.step()  # <- fault
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@sick(
    "UT302",
    split="wild",
    note="Adam at 1e-5 for ten epochs, an order of grades",
    cured=(("lr=1e-5", "lr=5e-3"),),
)
def grades_at_a_hundred_thousandth():
    class Ordinal(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
            self.cuts = nn.Parameter(torch.tensor([-1.0, -0.3, 0.3, 1.0]))

        def forward(self, x):
            return self.score(x) - self.cuts

    torch.manual_seed(125)
    x, y = grades()
    net = Ordinal()
    opt = torch.optim.Adam(net.parameters(), lr=1e-5)  # <- fault
    for epoch in range(10):
        for b in torch.randperm(1200).split(30):
            opt.zero_grad()
            levels = (y[b, None] > torch.arange(4)).float()
            F.binary_cross_entropy_with_logits(net(x[b]), levels).backward()
            opt.step()
    with torch.no_grad():
        grade = (net(x[1200:]) > 0).sum(1)
    return {"accuracy": (grade == y[1200:]).float().mean().item()}


@sick(
    "UT309",
    split="wild",
    note="an own penalty of squared weights, a hundred times too strong",
    cured=(("0.3 * penalty", "1e-5 * penalty"),),
)
def friedman_pressed_flat():
    torch.manual_seed(126)
    x, y = friedman()
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Rprop(net.parameters(), lr=1e-3)
    for step in range(120):
        penalty = sum(p.pow(2).sum() for p in net.parameters() if p.dim() > 1)
        loss = F.mse_loss(net(x[:480]).squeeze(1), y[:480]) + 0.3 * penalty  # <- fault
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]).squeeze(1), y[480:]).item()}


@sick(
    "UT310",
    split="wild",
    note="norm of the gradient clipped to 1e-3, SGD",
    cured=(("max_norm=1e-3", "max_norm=5.0"),),
)
def pulses_on_a_tight_clip():
    torch.manual_seed(127)
    x, kind = beats()
    net = nn.Sequential(
        *[nn.Conv1d(1, 12, 7, stride=2, padding=3), nn.ReLU(), nn.Conv1d(12, 12, 5, stride=2, padding=2), nn.ReLU()],
        *[nn.AdaptiveMaxPool1d(2), nn.Flatten(), nn.Linear(24, 4)],
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(20):
        for xb, kb in DataLoader(TensorDataset(x[:400], kind[:400]), 25, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), kb).backward()
            nn.utils.clip_grad_norm_(net.parameters(), max_norm=1e-3)  # <- fault
            opt.step()
    return {"accuracy": accuracy(net, x[400:], kind[400:])}


@sick(
    "UT310",
    split="wild",
    note="each entry of the gradient clipped to 1e-5",
    cured=(("clip_grad_value_(net.parameters(), 1e-5)", "clip_grad_value_(net.parameters(), 1.0)"),),
)
def rents_clipped_by_entry():
    torch.manual_seed(128)
    x, rent = flats()
    x, y = standardized(x), standardized(rent)
    net = nn.Sequential(nn.Linear(6, 64), nn.Softplus(), nn.Linear(64, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for step in range(400):
        b = torch.randint(480, (24,))
        opt.zero_grad()
        F.mse_loss(net(x[b]), y[b]).backward()
        nn.utils.clip_grad_value_(net.parameters(), 1e-5)  # <- fault
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]), y[480:]).item()}
