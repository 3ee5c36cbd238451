"""Unscaled inputs, labels that fit nothing, and the birth of NaN, as other people might have them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ..data import digit_images, digits, digits_255, iris, regression, waves
from ..score import accuracy, matches
from ..table import sick


@sick("UT501", module=("conv", "conv.0", ""), split="unseen", note="readings of a 12-bit converter, 0 to 4095")
def converter_readings():
    class PulseNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(nn.Conv1d(1, 8, 5, stride=2), nn.Tanh(), nn.Conv1d(8, 8, 5, stride=2), nn.Tanh())
            self.fc = nn.Linear(8 * 5, 1)

        def forward(self, signal):
            return self.fc(self.conv(signal).flatten(1))

    torch.manual_seed(501)
    signal, value = waves(256, 29)
    readings = (2048 + 1500 * signal.mT).round()
    net = PulseNet()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(30):
        for i in torch.randperm(256).split(64):
            loss = F.mse_loss(net(readings[i]), value[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "variance": value.var().item()}


@sick(
    "UT501", module=("encoder", "encoder.0", ""), split="unseen", note="an autoencoder reads 0..255 and is to give 0..1"
)
def autoencoder_of_raw_pixels():
    class AutoEncoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 8))
            self.decoder = nn.Sequential(nn.Tanh(), nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 64))

        def forward(self, pixels):
            return self.decoder(self.encoder(pixels))

    torch.manual_seed(502)
    pixels, _ = digits_255()
    model = AutoEncoder()
    opt = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    for step in range(300):
        batch = pixels[torch.randint(len(pixels), (64,))]
        loss = F.mse_loss(model(batch), batch / 255)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": (pixels / 255).var(0).mean().item()}


@sick(
    "UT501", module=("joint", "joint.0", ""), split="unseen", note="a column of salaries next to an embedded category"
)
def salaries_beside_an_embedding():
    class Applicants(nn.Module):
        def __init__(self):
            super().__init__()
            self.town = nn.Embedding(5, 3)
            self.joint = nn.Sequential(nn.Linear(3 + 3, 24), nn.ReLU(), nn.Linear(24, 1))

        def forward(self, town, numbers):
            return self.joint(torch.cat([self.town(town), numbers], 1)).squeeze(1)

    torch.manual_seed(503)
    town = torch.randint(5, (500,))
    numbers = torch.randn(500, 3)
    granted = ((numbers[:, 0] + numbers[:, 1] + (town == 2) * 1.5 - 0.5 * numbers[:, 2]) > 0).float()
    numbers = numbers * torch.tensor([1.0, 1.0, 15_000.0]) + torch.tensor([0.0, 0.0, 60_000.0])
    model = Applicants()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(20):
        for i in torch.randperm(500).split(50):
            loss = F.binary_cross_entropy_with_logits(model(town[i], numbers[i]), granted[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    right = ((model(town, numbers) > 0) == granted.bool()).float().mean().item()
    return {"loss": loss.item(), "accuracy": right}


@sick("UT701", split="unseen", note="a Dataset draws the picture and the label by two different indices")
def dataset_with_two_indices():
    class Pictures(Dataset):
        def __init__(self, images, labels):
            self.images, self.labels = images, labels

        def __len__(self):
            return len(self.images)

        def __getitem__(self, index):
            return self.images[torch.randint(len(self), ()).item()], self.labels[index]

    torch.manual_seed(701)
    images, labels = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(72, 10)
    )
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(5):
        for im, lb in DataLoader(Pictures(images, labels), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(im), lb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, images, labels)}


@sick("UT701", split="unseen", note="a series is paired with the value that follows another series")
def targets_off_by_one_row():
    class Next(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(1, 12, batch_first=True)
            self.head = nn.Linear(12, 1)

        def forward(self, s):
            return self.head(self.lstm(s)[0][:, -1])

    torch.manual_seed(702)
    s, nxt = waves(1000, 12)
    nxt = nxt.roll(1, 0)
    model = Next()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(1000, (64,))
        loss = F.mse_loss(model(s[i]), nxt[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": F.mse_loss(model(s), nxt).item(), "variance": nxt.var().item()}


@sick("UT701", module=None, split="unseen", note="the mask is inverted: the mean is taken over the padding")
def mask_the_wrong_way_round():
    class Reader(nn.Module):
        def __init__(self, vocab=12):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16, padding_idx=0)
            self.hidden = nn.Linear(16, 24)
            self.out = nn.Linear(24, 2)

        def forward(self, tokens):
            mask = (tokens == 0).float().unsqueeze(-1)
            pooled = (self.embed(tokens) * mask).sum(1) / mask.sum(1).clamp(min=1)
            return self.out(F.relu(self.hidden(pooled)))

    torch.manual_seed(703)
    tokens = torch.randint(1, 12, (1000, 10))
    lengths = torch.randint(4, 9, (1000, 1))
    tokens = tokens * (torch.arange(10) < lengths)
    answer = ((tokens == 3).any(1) | (tokens == 5).any(1)).long()
    keep = torch.cat([(answer == 0).nonzero()[:300, 0], (answer == 1).nonzero()[:300, 0]])
    tokens, answer = tokens[keep], answer[keep]
    model = Reader()
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for epoch in range(15):
        for i in torch.randperm(len(tokens)).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(model(tokens[i]), answer[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, tokens, answer)}


@sick("UT801", module=("",), split="unseen", note="the angle of a vector with itself: acos beyond 1")
def angle_with_itself():
    class Angular(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 6))

        def forward(self, x):
            z = F.normalize(self.net(x), dim=1)
            return torch.acos(z @ z.T)  # <- fault

    torch.manual_seed(801)
    x, y = iris()
    same = (y.unsqueeze(0) == y.unsqueeze(1)).float()
    model = Angular()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        angle = model(x)
        loss = (same * angle + (1 - same) * F.relu(1.5 - angle)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT801", module=("",), split="unseen", note="pixels that never change, divided by their standard deviation")
def constant_pixels_standardized():
    class Standardizing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(64, 32), nn.ELU(), nn.Linear(32, 10))

        def forward(self, pixels):
            centred = pixels - pixels.mean(0)
            scaled = centred / pixels.std(0)  # <- fault
            return self.layers(scaled)

    torch.manual_seed(802)
    pixels, digit = digits()
    model = Standardizing()
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for xb, yb in DataLoader(TensorDataset(pixels, digit), batch_size=20, shuffle=True):
        opt.zero_grad()
        scores = model(xb)
        loss = F.cross_entropy(scores, yb)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, yb)}


@sick("UT801", module=None, split="unseen", note="counts of 0: the log of a rectified rate")
def log_of_a_rectified_rate():
    torch.manual_seed(803)
    x, y = regression(400, 10)
    counts = torch.poisson((0.8 * y).exp())
    rate_net = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 1), nn.ReLU())
    opt = torch.optim.Adam(rate_net.parameters(), lr=3e-3)
    for epoch in range(10):
        for i in torch.randperm(400).split(40):
            rate = rate_net(x[i]).squeeze(1)
            loss = (rate - counts[i] * rate.log()).mean()  # <- fault
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item()}
