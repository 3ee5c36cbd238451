"""Pictures learned in many ways, as other people might train on them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy, hits
from ..table import healthy


def run(model, optimizer, steps, size, objective, x, y):
    for _ in range(steps):
        i = torch.randint(len(x), (size,))
        loss = objective(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


@healthy(split="unseen", odd="every residual branch survives with a probability that falls with depth")
def survival_by_depth():
    class Branch(nn.Module):
        def __init__(self, survive):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32))
            self.survive = survive

        def forward(self, h):
            if not self.training:
                return h + self.survive * self.body(h)
            return h + self.body(h) if torch.rand(()) < self.survive else h

    torch.manual_seed(21)
    x, y = digits()
    model = nn.Sequential(
        nn.Linear(64, 32), *[Branch(1 - 0.12 * k) for k in range(5)], nn.LayerNorm(32), nn.Linear(32, 10)
    )
    loss = run(model, torch.optim.Adam(model.parameters(), lr=2e-3), 200, 64, F.cross_entropy, x, y)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="a U-Net removes noise; the loss can't reach 0")
def denoising_unet():
    class Denoiser(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(1, 8, 3, padding=1)
            self.b = nn.Conv2d(8, 16, 3, stride=2, padding=1)
            self.c = nn.ConvTranspose2d(16, 8, 2, stride=2)
            self.d = nn.Conv2d(16, 1, 3, padding=1)

        def forward(self, img):
            high = F.relu(self.a(img))
            return self.d(torch.cat([high, F.relu(self.c(F.relu(self.b(high))))], 1))

    torch.manual_seed(22)
    img, _ = digit_images()
    net = Denoiser()
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for (clean,) in DataLoader(TensorDataset(img.repeat(2, 1, 1, 1)), batch_size=32, shuffle=True):
        opt.zero_grad()
        loss = F.mse_loss(net(clean + 0.3 * torch.randn_like(clean)), clean)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": img.var(0).mean().item()}


@healthy(split="unseen", odd="channels weighted by sigmoid gates, squeeze and excitation")
def squeeze_and_excite():
    class Excite(nn.Module):
        def __init__(self, ch):
            super().__init__()
            self.gate = nn.Sequential(nn.Linear(ch, 4), nn.ReLU(), nn.Linear(4, ch), nn.Sigmoid())

        def forward(self, m):
            return m * self.gate(m.mean((2, 3)))[:, :, None, None]

    torch.manual_seed(23)
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), Excite(12), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(108, 10))
    loss = run(model, torch.optim.NAdam(model.parameters(), lr=4e-3), 150, 64, F.cross_entropy, x, y)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="a last layer of zeros and label smoothing of 0.2")
def zero_head_and_smoothing():
    torch.manual_seed(24)
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    nn.init.zeros_(model[3].weight)
    nn.init.zeros_(model[3].bias)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.2)
    loss = run(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), 200, 64, criterion, x, y)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="bags of five pictures, attention pooling: is there a 7 among them?")
def bags_of_pictures():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.see = nn.Sequential(nn.Linear(64, 32), nn.ReLU())
            self.look = nn.Sequential(nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 1))
            self.say = nn.Linear(32, 1)

        def forward(self, bag):
            seen = self.see(bag)
            return self.say((self.look(seen).softmax(1) * seen).sum(1)).squeeze(1)

    torch.manual_seed(25)
    x, y = digits()
    model = Bag()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(250):
        i = torch.randint(len(x), (64, 5))
        has = (y[i] == 7).any(1).float()
        loss = F.binary_cross_entropy_with_logits(model(x[i]), has)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x[i]), has)}


@healthy(split="unseen", odd="one class against nine, weighted: the loss starts above chance")
def rare_digit_weighted():
    torch.manual_seed(26)
    x, y = digit_images()
    eight = (y == 8).float()
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 1), nn.Flatten(0))
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(9.0))
    loss = run(model, torch.optim.Adam(model.parameters(), lr=2e-3), 200, 64, criterion, x, eight)
    return {"loss": loss, "accuracy": hits(model(x), eight)}


@healthy(split="unseen", odd="convolutional mixer with depthwise kernels and BatchNorm after GELU")
def convolution_mixer():
    class Residual(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, z):
            return z + self.inner(z)

    def after(layer, ch=12):
        return nn.Sequential(layer, nn.GELU(), nn.BatchNorm2d(ch))

    torch.manual_seed(27)
    x, y = digit_images()
    blocks = [
        nn.Sequential(Residual(after(nn.Conv2d(12, 12, 3, padding=1, groups=12))), after(nn.Conv2d(12, 12, 1)))
        for _ in range(2)
    ]
    model = nn.Sequential(after(nn.Conv2d(1, 12, 2, stride=2)), *blocks, nn.Flatten(), nn.Linear(192, 10))
    loss = run(model, torch.optim.AdamW(model.parameters(), lr=5e-3), 120, 48, F.cross_entropy, x, y)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="branches of several kernel sizes joined, Adagrad")
def branches_of_kernels():
    class Inception(nn.Module):
        def __init__(self):
            super().__init__()
            self.arms = nn.ModuleList(nn.Conv2d(1, 6, k, padding=k // 2) for k in (1, 3, 5))
            self.fc = nn.Linear(18 * 16, 10)

        def forward(self, img):
            return self.fc(F.max_pool2d(torch.cat([F.relu(arm(img)) for arm in self.arms], 1), 2).flatten(1))

    torch.manual_seed(28)
    x, y = digit_images()
    model = Inception()
    loss = run(model, torch.optim.Adagrad(model.parameters(), lr=0.02), 150, 64, F.cross_entropy, x, y)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="scores are cosines times 10, weights and features normalised")
def cosine_classifier():
    class Cosine(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))
            self.centres = nn.Parameter(torch.randn(10, 16))

        def forward(self, x):
            return 10 * F.normalize(self.body(x), dim=1) @ F.normalize(self.centres, dim=1).T

    torch.manual_seed(29)
    x, y = digits()
    model = Cosine()
    loss = run(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), 200, 64, F.cross_entropy, x, y)
    return {"loss": loss, "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="forward in bfloat16 by autocast, master weights in float32, warm-up")
def bfloat16_with_warm_up():
    torch.manual_seed(30)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 10))
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    warm = torch.optim.lr_scheduler.LinearLR(opt, 0.01, 1.0, 50)
    for _ in range(180):
        i = torch.randint(len(x), (64,))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x[i]).float(), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        warm.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}
