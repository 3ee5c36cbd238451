"""Networks on images that learn as they should."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, digits_255
from ..score import accuracy
from ..table import healthy


@healthy(split="late", odd="the last norm of each residual branch starts at zero, so the branches first do nothing")
def zero_gamma_resnet():
    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            nn.init.zeros_(self.bn2.weight)

        def forward(self, x):
            return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))

    torch.manual_seed(40)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), Block(12), nn.MaxPool2d(2), Block(12), nn.Flatten(), nn.Linear(192, 10)
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=120)
    for step in range(120):
        i = torch.randint(1500, (64,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}


@healthy(split="late", odd="a sigmoid output and BCELoss for pixels in 0..1")
def pixel_autoencoder_with_bce():
    torch.manual_seed(41)
    x, _ = digits()
    encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 16))
    decoder = nn.Sequential(nn.Linear(16, 96), nn.ReLU(), nn.Linear(96, 64), nn.Sigmoid())
    opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=5e-3)
    criterion = nn.BCELoss()
    for epoch in range(25):
        for i in torch.randperm(1500).split(50):
            opt.zero_grad()
            loss = criterion(decoder(encoder(x[i])), x[i])
            loss.backward()
            opt.step()
    with torch.no_grad():
        error = F.mse_loss(decoder(encoder(x[1500:])), x[1500:])
    return {"error": (error / x[1500:].var()).item(), "loss": loss.item()}


@healthy(split="late", odd="bytes as they come, scaled inside of the model")
def bytes_scaled_in_forward():
    class ByteNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 16, 3)
            self.norm = nn.GroupNorm(4, 16)
            self.head = nn.Linear(16 * 9, 10)

        def forward(self, image):
            image = image.view(-1, 1, 8, 8).float().div(127.5).sub(1)
            return self.head(F.max_pool2d(F.relu(self.norm(self.conv(image))), 2).flatten(1))

    torch.manual_seed(42)
    x, y = digits_255()
    x = x.to(torch.uint8)
    model = ByteNet()
    optimizer = torch.optim.RAdam(model.parameters(), lr=8e-3)
    for epoch in range(12):
        for images, labels in DataLoader(TensorDataset(x[:1500], y[:1500]), batch_size=50, shuffle=True):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x[1500:], y[1500:])}


@healthy(split="late", odd="autocast to bfloat16 around forward and loss, weights kept in float32")
def autocast_digits():
    torch.manual_seed(43)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.LayerNorm(64), nn.Linear(64, 10))
    opt = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    for step in range(300):
        i = torch.randint(1400, (64,))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return {"accuracy": accuracy(model, x[1400:], y[1400:])}


@healthy(split="late", odd="loss summed over the batch, and a learning rate chosen for that")
def summed_loss_small_rate():
    torch.manual_seed(44)
    x, y = digits()
    mean, std = x[:1400].mean(0), x[:1400].std(0) + 0.1
    x = (x - mean) / std
    net = nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10), nn.LogSoftmax(dim=1))
    opt = torch.optim.SGD(net.parameters(), lr=1.5e-3, momentum=0.9)
    for epoch in range(10):
        for i in torch.randperm(1400).split(50):
            loss = F.nll_loss(net(x[i]), y[i], reduction="sum")
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@healthy(split="late", odd="mixup: the training loss stays high, and is meant to")
def mixup_digits():
    torch.manual_seed(45)
    x, y = digit_images()
    one_hot = F.one_hot(y, 10).float()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )
    adam = torch.optim.Adam(net.parameters(), lr=2e-3)
    mix = torch.distributions.Beta(0.4, 0.4)
    for step in range(160):
        i = torch.randint(1400, (48,))
        j, share = i[torch.randperm(48)], mix.sample()
        scores = net(share * x[i] + (1 - share) * x[j])
        loss = F.cross_entropy(scores, share * one_hot[i] + (1 - share) * one_hot[j])
        adam.zero_grad()
        loss.backward()
        adam.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:]), "loss": loss.item()}


@healthy(split="late", odd="few pixels are foreground, but dice and cross-entropy together find them")
def sparse_spots_with_dice():
    torch.manual_seed(46)
    n, size = 300, 16
    truth = torch.zeros(n, 1, size, size)
    corner = torch.randint(1, size - 3, (n, 2))
    for k, (r, c) in enumerate(corner.tolist()):
        truth[k, 0, r : r + 2, c : c + 2] = 1
    images = 1.5 * truth + 0.4 * torch.randn(n, 1, size, size)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)
    )
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(10):
        for i in torch.randperm(250).split(25):
            logits = net(images[i])
            p, t = logits.sigmoid(), truth[i]
            dice = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
            loss = dice + F.binary_cross_entropy_with_logits(logits, t)
            opt.zero_grad()
            loss.backward()
            opt.step()
    found, wanted = net(images[250:]) > 0, truth[250:] > 0
    return {"accuracy": ((found & wanted).sum() / (found | wanted).sum()).item()}


@healthy(split="late", odd="batches of four, and group norm that does not mind")
def group_norm_at_batch_four():
    torch.manual_seed(47)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.GroupNorm(4, 16),
        nn.SiLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.GroupNorm(4, 32),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for i in torch.cat([torch.randperm(1400) for _ in range(2)]).split(4):
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}
