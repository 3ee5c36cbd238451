"""Learning rates, schedules, momenta, epsilons, decay and clipping that do not suit."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digit_images, digits, wine
from ..score import accuracy, hits
from ..table import sick
from .data_a import clicks, emblems, fabrics, picture, plant, rentals, rings, scaled_houses


@sick("UT301", split="blind", note="Adam at 0.3, as it had been with SGD", cured=(("lr=0.3", "lr=0.003"),))
def sgd_swapped_for_adam():
    torch.manual_seed(1)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(15):
        model.train()
        for inputs, labels in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y)}


@sick("UT301", split="blind", note="SGD with momentum at 0.5 on a small CNN", cured=(("lr=0.5", "lr=0.02"),))
def emblems_at_half_speed():
    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3)
            self.fc1, self.fc2 = nn.Linear(16 * 9, 32), nn.Linear(32, 4)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.relu(self.conv2(x))
            return self.fc2(F.relu(self.fc1(x.flatten(1))))

    torch.manual_seed(2)
    x, y = emblems()
    net = LeNet()
    opt = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    for epoch in range(12):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick("UT301", split="blind", note="RMSprop at 0.1 for a net over coordinates", cured=(("lr=0.1", "lr=0.002"),))
def picture_by_sines_of_position():
    torch.manual_seed(3)
    at, grey = picture()
    features = torch.cat([f(2.0**k * at) for k in range(4) for f in (torch.sin, torch.cos)], 1)
    net = nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1))
    opt = torch.optim.RMSprop(net.parameters(), lr=0.1)
    for step in range(800):
        i = torch.randint(len(at), (100,))
        loss = (net(features[i]) - grey[i]).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": (net(features) - grey).square().mean().item()}


@sick(
    "UT301",
    split="blind",
    note="one cycle that rises to 0.25 with AdamW",
    cured=(("max_lr=0.25", "max_lr=0.008"),),
)
def one_cycle_over_prices():
    torch.manual_seed(4)
    x, y = scaled_houses()
    net = nn.Sequential(nn.Linear(5, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1), nn.Flatten(0))
    opt = torch.optim.AdamW(net.parameters())
    epochs = 25
    schedule = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.25, total_steps=epochs * 20)
    for epoch in range(epochs):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.huber_loss(net(x[i]), y[i]).backward()
            opt.step()
            schedule.step()
    return {"error": F.mse_loss(net(x), y).item()}


@sick("UT302", split="blind", note="plain SGD at 1e-5, taken over from a paper on Adam", cured=(("1e-5", "5e-2"),))
def fabrics_after_a_paper():
    torch.manual_seed(5)
    x, y = fabrics()
    net = nn.Sequential(
        nn.Conv2d(3, 12, 3),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 16, 3, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 6),
    )
    opt = torch.optim.SGD(net.parameters(), 1e-5)
    for epoch in range(15):
        net.train()
        for i in torch.randperm(600).split(25):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT302",
    split="blind",
    note="an exponential schedule meant for epochs is stepped after each batch",
    cured=(("            scheduler.step()", "            pass"),),
)
def decay_of_seven_tenths():
    torch.manual_seed(6)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.7)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
            scheduler.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT302",
    split="blind",
    note="a warm-up of 100,000 steps in a training of 450",
    cured=(("warmup=100_000", "warmup=100"),),
)
def warming_up_to_bicycles():
    def trainer(net, x, y, *, lr=1e-2, warmup=100_000, steps=450):
        opt = torch.optim.Adam(net.parameters(), lr=lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: min(1.0, (step + 1) / warmup))
        for step in range(steps):
            i = torch.randint(len(x), (64,))
            opt.zero_grad()
            F.poisson_nll_loss(net(x[i]).squeeze(1), y[i]).backward()
            opt.step()
            schedule.step()
        return net

    torch.manual_seed(7)
    x, y = rentals()
    net = trainer(nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)), x, y)
    return {"error": F.mse_loss(net(x).squeeze(1).exp(), y).item()}


@sick("UT302", split="blind", note="Adagrad at 3e-4 on embeddings of clicks", cured=(("lr=3e-4", "lr=1e-1"),))
def who_clicks_where():
    class Factors(nn.Module):
        def __init__(self, k=6):
            super().__init__()
            self.who, self.page, self.device = nn.Embedding(50, k), nn.Embedding(40, k), nn.Embedding(4, 1)

        def forward(self, i):
            return (self.who(i[:, 0]) * self.page(i[:, 1])).sum(1) + self.device(i[:, 2])[:, 0]

    torch.manual_seed(8)
    x, y = clicks()
    net = Factors()
    opt = torch.optim.Adagrad(net.parameters(), lr=3e-4)
    for epoch in range(20):
        for i in torch.randperm(2000).split(50):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": hits(net(x), y)}


@sick(
    "UT309", split="blind", note="Adam with a weight decay of 0.1", cured=(("weight_decay=0.1", "weight_decay=1e-4"),)
)
def cells_with_a_strong_prior():
    torch.manual_seed(9)
    x, y = rings()
    model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))
    optim = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=0.1)
    for epoch in range(30):
        for i in torch.randperm(600).split(40):
            optim.zero_grad()
            F.cross_entropy(model(x[i]), y[i]).backward()
            optim.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT309",
    split="blind",
    note="an L2 term summed over all weights with a factor of 0.05",
    cured=(("+ 0.05 * penalty", "+ 1e-5 * penalty"),),
)
def yield_with_a_written_penalty():
    torch.manual_seed(10)
    x, made, _ = plant()
    net = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(50):
            penalty = sum((p**2).sum() for p in net.parameters())
            loss = F.mse_loss(net(x[i]), made[i]) + 0.05 * penalty
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x), made).item()}


@sick(
    "UT310",
    split="blind",
    note="the norm is clipped at 0.001 before each step of SGD",
    cured=(("max_norm=1e-3", "max_norm=10.0"),),
)
def wine_in_careful_hands():
    torch.manual_seed(11)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(16):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), max_norm=1e-3)
            opt.step()
    return {"error": F.cross_entropy(net(x), y).item()}


@sick(
    "UT310",
    split="blind",
    note="each entry of the gradient is clamped to a ten-thousandth",
    cured=(("p.grad.clamp_(-1e-4, 1e-4)", "p.grad.clamp_(-1.0, 1.0)"),),
)
def prices_by_the_entry():
    torch.manual_seed(12)
    x, y = scaled_houses()
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(30):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.l1_loss(net(x[i])[:, 0], y[i]).backward()
            for p in net.parameters():
                p.grad.clamp_(-1e-4, 1e-4)
            opt.step()
    return {"error": F.l1_loss(net(x)[:, 0], y).item()}


@sick("UT311", split="blind", note="an epsilon of 1 in Adam", cured=(("eps=1.0", "eps=1e-8"),))
def inception_settings_for_cells():
    torch.manual_seed(13)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1.0)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i]), y[i].float()).backward()
            opt.step()
    return {"error": F.binary_cross_entropy_with_logits(net(x), y.float()).item()}


@sick("UT312", split="blind", note="a momentum of 0.999", cured=(("momentum=0.999", "momentum=0.9"),))
def heavy_ball_over_digits():
    torch.manual_seed(14)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.999)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
