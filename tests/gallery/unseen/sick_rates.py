"""Learning rates too high and too low, as other people might choose them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, characters, diabetes, digit_images, digits, waves
from ..score import accuracy
from ..table import sick


@sick("UT301", split="unseen", note="NAdam at 2, a residual MLP")
def nadam_at_two():
    class ResidualMLP(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp = nn.Linear(64, 32)
            self.hid = nn.ModuleList([nn.Linear(32, 32), nn.Linear(32, 32)])
            self.outp = nn.Linear(32, 10)

        def forward(self, t):
            t = self.inp(t)
            for layer in self.hid:
                t = t + F.silu(layer(t))
            return self.outp(t)

    def evaluate(net, data, target):
        return accuracy(net, data, target)

    torch.manual_seed(301)
    data, target = digits()
    net = ResidualMLP()
    optimizer = torch.optim.NAdam(net.parameters(), lr=2.0)
    for epoch in range(8):
        net.train()
        for batch_idx, (d, t) in enumerate(DataLoader(TensorDataset(data, target), batch_size=100, shuffle=True)):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(d), t)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": evaluate(net, data, target)}


@sick("UT301", split="unseen", note="SGD at 2 with momentum, convolutions over a series")
def series_convolution_at_two():
    torch.manual_seed(302)
    past, future = waves(256, 24)
    past = past.permute(0, 2, 1)
    forecaster = nn.Sequential(
        nn.Conv1d(1, 16, 5), nn.LeakyReLU(), nn.Conv1d(16, 16, 5), nn.LeakyReLU(), nn.Flatten(), nn.Linear(256, 1)
    )
    momentum = torch.optim.SGD(forecaster.parameters(), lr=2.0, momentum=0.8)
    for epoch in range(20):
        for i in torch.randperm(256).split(64):
            momentum.zero_grad()
            error = F.smooth_l1_loss(forecaster(past[i]), future[i])
            error.backward()
            momentum.step()
    return {"loss": error.item(), "variance": future.var().item()}


@sick("UT301", split="unseen", note="AdamW at 0.2 for a transformer over pixels rows")
def row_transformer_at_a_fifth():
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift = nn.Linear(8, 24)
            self.position = nn.Parameter(torch.zeros(8, 24))
            self.encoder = nn.TransformerEncoderLayer(24, 4, 48, dropout=0.0, batch_first=True)
            self.head = nn.Linear(24, 10)

        def forward(self, image):
            return self.head(self.encoder(self.lift(image) + self.position).mean(1))

    torch.manual_seed(303)
    images, labels = digit_images()
    images = images.squeeze(1)
    model = Rows()
    opt = torch.optim.AdamW(model.parameters(), lr=0.2, weight_decay=0.01)
    for _ in range(150):
        i = torch.randint(len(images), (64,))
        loss = F.cross_entropy(model(images[i]), labels[i])
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, images, labels)}


@sick("UT302", split="unseen", note="LBFGS at 1e-6")
def lbfgs_at_a_millionth():
    torch.manual_seed(304)
    x, y = diabetes()
    model = nn.Sequential(nn.Linear(10, 12), nn.Tanh(), nn.Linear(12, 1))
    lbfgs = torch.optim.LBFGS(model.parameters(), lr=1e-6, max_iter=5)
    for _ in range(60):

        def closure():
            lbfgs.zero_grad()
            loss = F.mse_loss(model(x).squeeze(-1), y)
            loss.backward()
            return loss

        loss = lbfgs.step(closure)
    return {"loss": loss.item()}


@sick("UT302", split="unseen", note="polynomial decay that has run out after 5 steps of 200")
def decay_that_runs_out():
    class CharCNN(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.emb = nn.Embedding(vocab, 16)
            self.conv = nn.Conv1d(16, 32, 3)
            self.proj = nn.Linear(32 * 4, vocab)

        def forward(self, idx):
            h = F.relu(self.conv(self.emb(idx).transpose(1, 2)))
            return self.proj(h.flatten(1))

    torch.manual_seed(305)
    ids, vocab = characters("heapq")
    chunks = ids.unfold(0, 7, 1)
    net = CharCNN(vocab)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    sched = LambdaLR(opt, lambda n: max(1e-5, (1 - n / 5)) ** 2 if n < 5 else 1e-5)
    for step in range(200):
        w = chunks[torch.randint(len(chunks), (64,))]
        loss = F.cross_entropy(net(w[:, :6]), w[:, 6])
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, chunks[:, :6], chunks[:, 6])}


@sick("UT302", split="unseen", note="RMSprop at 1e-7, with validation at each epoch")
def rmsprop_at_a_ten_millionth():
    class Experiment:
        def __init__(self, lr):
            self.net = nn.Sequential(nn.Linear(30, 32), nn.GELU(), nn.Linear(32, 16), nn.GELU(), nn.Linear(16, 2))
            self.optim = torch.optim.RMSprop(self.net.parameters(), lr=lr)
            self.val = []

        def train_epoch(self, xs, ys):
            self.net.train()
            for i in torch.randperm(len(xs)).split(40):
                self.optim.zero_grad()
                self.loss = F.cross_entropy(self.net(xs[i]), ys[i])
                self.loss.backward()
                self.optim.step()

        def validate(self, xs, ys):
            self.net.eval()
            with torch.no_grad():
                self.val.append(F.cross_entropy(self.net(xs), ys).item())

    torch.manual_seed(306)
    xs, ys = cancer()
    run = Experiment(lr=1e-7)
    for _ in range(15):
        run.train_epoch(xs[:400], ys[:400])
        run.validate(xs[400:], ys[400:])
    return {"loss": run.loss.item(), "validation": run.val[-1], "accuracy": accuracy(run.net, xs, ys)}
