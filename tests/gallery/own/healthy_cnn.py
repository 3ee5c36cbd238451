"""Convolutional networks that learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits_255, waves
from ..score import accuracy, matches
from ..table import healthy


@healthy(split="build")
def lenet_digits():
    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 6, 3, padding=1)
            self.conv2 = nn.Conv2d(6, 16, 3)
            self.fc1 = nn.Linear(16, 32)
            self.fc2 = nn.Linear(32, 10)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            return self.fc2(F.relu(self.fc1(x.flatten(1))))

    torch.manual_seed(0)
    x, y = digit_images()
    model = LeNet()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(10):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="batch-normalised weights, whose norm drifts")
def batch_norm_cnn():
    def block(a, b):
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

    torch.manual_seed(1)
    x, y = digit_images()
    model = nn.Sequential(
        block(1, 8),
        block(8, 16),
        nn.MaxPool2d(2),
        block(16, 16),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(5):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="raw pixels of 0..255 behind a normalisation inside the model")
def normalizes_inside():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(1)
            self.conv = nn.Conv2d(1, 12, 3)
            self.fc = nn.Linear(12 * 9, 10)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv(self.norm(x))), 2)
            return self.fc(x.flatten(1))

    torch.manual_seed(2)
    x, y = digits_255()
    x = x.view(-1, 1, 8, 8)
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="judge", odd="a residual net with global pooling and weight decay")
def small_resnet():
    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)

        def forward(self, x):
            out = F.relu(self.bn1(self.conv1(x)))
            return F.relu(x + self.bn2(self.conv2(out)))

    torch.manual_seed(3)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, stride=2), Block(12), Block(12), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)
    )
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for epoch in range(5):
        for i in torch.randperm(len(x)).split(60):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="depthwise convolutions, GroupNorm and SiLU")
def depthwise_cnn():
    class Separable(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.depth = nn.Conv2d(a, a, 3, padding=1, groups=a)
            self.point = nn.Conv2d(a, b, 1)
            self.norm = nn.GroupNorm(4, b)

        def forward(self, x):
            return F.silu(self.norm(self.point(self.depth(x))))

    torch.manual_seed(4)
    x, y = digit_images()
    x, y = x[:1000], y[:1000]
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), Separable(8, 16), nn.MaxPool2d(2), Separable(16, 32), nn.Flatten(), nn.Linear(288, 10)
    )
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for _ in range(150):
        i = torch.randint(1000, (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="judge", odd="noisy loss with a batch of 4")
def batch_of_four():
    torch.manual_seed(5)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)
    for _ in range(600):
        i = torch.randint(len(x), (4,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="one-dimensional, dilated, regression")
def dilated_forecaster():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.ModuleList([nn.Conv1d(1 if d == 1 else 12, 12, 2, dilation=d) for d in (1, 2, 4, 8)])
            self.out = nn.Conv1d(12, 1, 1)

        def forward(self, x):
            for conv in self.convs:
                x = F.elu(conv(x))
            return self.out(x)[:, :, -1]

    torch.manual_seed(6)
    x, y = waves()
    x = x.transpose(1, 2)
    model = Forecaster()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        loss = F.mse_loss(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="judge", odd="autocast to bfloat16")
def autocast_cnn():
    torch.manual_seed(7)
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(108, 10))
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(120):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="label smoothing keeps the loss above 0.5")
def smoothed_labels():
    torch.manual_seed(8)
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 16, 3), nn.LeakyReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(144, 10))
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(8):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=100, shuffle=True):
            loss = criterion(model(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="mixup: targets are mixtures, the loss stays high")
def mixup():
    torch.manual_seed(9)
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(108, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(200):
        i, j = torch.randint(len(x), (2, 64))
        share = torch.distributions.Beta(1.0, 1.0).sample()
        scores = model(share * x[i] + (1 - share) * x[j])
        loss = share * F.cross_entropy(scores, y[i]) + (1 - share) * F.cross_entropy(scores, y[j])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="segmentation: dense output, loss over pixels, most of them background")
def tiny_unet():
    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down1 = nn.Conv2d(1, 8, 3, padding=1)
            self.down2 = nn.Conv2d(8, 16, 3, padding=1)
            self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
            self.out = nn.Conv2d(16, 2, 1)

        def forward(self, x):
            a = F.relu(self.down1(x))
            b = F.relu(self.down2(F.max_pool2d(a, 2)))
            return self.out(torch.cat([a, F.relu(self.up(b))], 1))

    torch.manual_seed(10)
    x, _ = digit_images()
    x = x[:500]
    mask = (x[:, 0] > 0.8).long()
    noisy = x + 0.1 * torch.randn_like(x)
    net = UNet()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(100):
        i = torch.randint(500, (32,))
        loss = F.cross_entropy(net(noisy[i]), mask[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(net(noisy).movedim(1, -1), mask)}


@healthy(split="judge", odd="CTC: a loss of 15 at the start, and a plateau of blanks")
def ctc_strips():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(8, 48, 5, padding=2)
            self.gru = nn.GRU(48, 32, bidirectional=True, batch_first=True)
            self.out = nn.Linear(64, 11)

        def forward(self, x):
            h = torch.relu(self.conv(x)).transpose(1, 2)
            return self.out(self.gru(h)[0]).log_softmax(-1)

    torch.manual_seed(5)
    images, y = digit_images()
    model = Reader()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(120):
        i = torch.randint(len(y), (32, 3))
        strip = torch.cat([images[i[:, k], 0] for k in range(3)], -1)
        logp = model(strip).transpose(0, 1)
        loss = F.ctc_loss(logp, y[i] + 1, torch.full((32,), 24), torch.full((32,), 3))
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}
