"""Frozen parts, fine-tuning and pretraining, all on purpose."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, digit_images, digits, moons, wine
from ..score import accuracy, matches
from ..table import healthy


def pretrain(model, x, y, steps=80, lr=5e-3):
    """Train a model by Adam, as the first half of each story here."""
    opt = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        i = torch.randint(len(x), (128,))
        opt.zero_grad()
        F.cross_entropy(model(x[i]), y[i]).backward()
        opt.step()
    return model


@healthy(split="build", odd="backbone frozen by requires_grad")
def frozen_backbone():
    torch.manual_seed(0)
    x, y = digits()
    backbone = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
    pretrain(nn.Sequential(backbone, nn.Linear(32, 10)), x, y)
    for p in backbone.parameters():
        p.requires_grad = False
    even = (y % 2 == 0).long()
    model = nn.Sequential(backbone, nn.Linear(32, 2))
    opt = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=0.01)
    for _ in range(100):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), even[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, even)}


@healthy(split="judge", odd="the optimizer holds the head only; the trunk was trained before and takes gradients")
def head_only():
    class Net(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.trunk = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
            self.head = nn.Linear(108, classes)

        def forward(self, x):
            return self.head(self.trunk(x))

    torch.manual_seed(1)
    x, y = digit_images()
    model = pretrain(Net(5), x[y < 5], y[y < 5])
    model.head = nn.Linear(108, 5)
    x, y = x[y >= 5], y[y >= 5] - 5
    opt = torch.optim.SGD(model.head.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(8):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="features computed once under no_grad, a linear probe over them")
def linear_probe():
    torch.manual_seed(2)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 24))
    pretrain(encoder, x, y)
    with torch.no_grad():
        features = encoder(x)
    probe = nn.Linear(24, 10)
    opt = torch.optim.SGD(probe.parameters(), lr=0.05, momentum=0.9)
    for _ in range(150):
        loss = F.cross_entropy(probe(features), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(probe(features), y)}


@healthy(split="judge", odd="fine-tuned with a rate of 1e-6: weights hardly move, and need not")
def finetune_gently():
    torch.manual_seed(3)
    x, y = digits()
    model = pretrain(nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)), x, y, steps=200)
    opt = torch.optim.Adam(model.parameters(), lr=1e-6)
    x = x + 0.05 * torch.randn_like(x)
    for _ in range(100):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="fine-tuning by SGD at 1e-6 after BatchNorm pretraining, in eval mode on purpose")
def finetune_frozen_norm():
    torch.manual_seed(4)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, 10)
    )
    pretrain(model, x, y, steps=150)
    model.eval()
    opt = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
    for _ in range(80):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="layer-wise rates fall by ten towards the input")
def layerwise_rates():
    torch.manual_seed(5)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    pretrain(model, x, y)
    model[4] = nn.Linear(48, 3)
    rest = y % 3
    rates = {0: 1e-5, 2: 1e-4, 4: 1e-2}
    opt = torch.optim.AdamW([{"params": model[k].parameters(), "lr": lr} for k, lr in rates.items()])
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), rest[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, rest)}


@healthy(split="build", odd="low-rank adapters that start at zero beside frozen weights")
def low_rank_adapters():
    class LoRA(nn.Module):
        def __init__(self, base, rank=8):
            super().__init__()
            self.base = base.requires_grad_(False)
            self.a = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
            self.b = nn.Parameter(torch.zeros(base.out_features, rank))

        def forward(self, x):
            return self.base(x) + x @ self.a.T @ self.b.T

    torch.manual_seed(6)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    pretrain(model, x, y)
    model[0], model[2] = LoRA(model[0]), LoRA(model[2])
    shifted = (y + 1) % 10
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), shifted[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, shifted)}


@healthy(split="judge", odd="frozen random embeddings (from_pretrained), everything else trained")
def frozen_embeddings():
    class Model(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding.from_pretrained(torch.randn(vocab, 32), freeze=True)
            self.fc = nn.Linear(4 * 32, 64)
            self.out = nn.Linear(64, vocab)

        def forward(self, x):
            return self.out(torch.relu(self.fc(self.embed(x).flatten(1))))

    torch.manual_seed(7)
    ids, vocab = characters()
    windows = ids.unfold(0, 5, 1)
    model = Model(vocab)
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    for _ in range(200):
        w = windows[torch.randint(len(windows), (128,))]
        loss = F.cross_entropy(model(w[:, :4]), w[:, 4])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, windows[:, :4], windows[:, 4])}


@healthy(split="build", odd="pretrained as an autoencoder, then only part of it is used")
def autoencoder_then_classifier():
    torch.manual_seed(8)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU())
    decoder = nn.Linear(32, 64)
    opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=5e-3)
    for _ in range(100):
        i = torch.randint(len(x), (128,))
        opt.zero_grad()
        F.mse_loss(decoder(encoder(x[i])), x[i]).backward()
        opt.step()
    head = nn.Linear(32, 10)
    opt = torch.optim.Adam([{"params": encoder.parameters(), "lr": 1e-4}, {"params": head.parameters(), "lr": 0.01}])
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(head(encoder(x[i])), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(head(encoder(x)), y)}


@healthy(split="judge", odd="layers thawed one after another; a new optimizer for each stage")
def gradual_thaw():
    torch.manual_seed(9)
    x, y = wine()
    layers = [nn.Linear(13, 32), nn.Linear(32, 32), nn.Linear(32, 3)]
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    model.requires_grad_(False)
    for layer in reversed(layers):
        layer.requires_grad_(True)
        opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=5e-3)
        for _ in range(60):
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="evaluation between the epochs, best weights put back at the end")
def early_stopping():
    torch.manual_seed(15)
    x, y = moons(600, 0.25)
    train, test = torch.arange(400), torch.arange(400, 600)
    model = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    best, kept, waited = float("inf"), None, 0
    for epoch in range(60):
        model.train()
        for i in train[torch.randperm(400)].split(50):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
        model.eval()
        with torch.no_grad():
            held_out = F.cross_entropy(model(x[test]), y[test]).item()
        waited = 0 if held_out < best else waited + 1
        if held_out < best:
            best, kept = held_out, {name: value.clone() for name, value in model.state_dict().items()}
        if waited == 8:
            break
    model.load_state_dict(kept)
    return {"loss": best, "accuracy": accuracy(model, x[test], y[test])}
