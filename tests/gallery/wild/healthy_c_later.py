"""What newer well-known repositories do, rebuilt small: language models, teachers, augmentations, schedules."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, digit_images, digits, moons
from ..score import accuracy, matches
from ..table import healthy


@healthy(
    split="wild",
    odd="a tiny GPT: weights of 0.02, tied head, warm-up and cosine to a tenth, decay on matrices only, clip at 1",
)
def tiny_gpt_on_a_docstring():
    class Block(nn.Module):
        def __init__(self, d, h):
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
            self.qkv, self.proj = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
            self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
            self.h = h

        def forward(self, x):
            b, t, d = x.shape
            q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).reshape(b, t, d))
            return x + self.mlp(self.ln2(x))

    class GPT(nn.Module):
        def __init__(self, vocab, block=16, d=40):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocab, d), nn.Embedding(block, d)
            self.blocks = nn.ModuleList(Block(d, 4) for _ in range(2))
            self.ln_f, self.head = nn.LayerNorm(d), nn.Linear(d, vocab, bias=False)
            self.apply(self._init)
            self.head.weight = self.wte.weight

        def _init(self, m):
            if isinstance(m, (nn.Linear, nn.Embedding)):
                nn.init.normal_(m.weight, std=0.02)

        def forward(self, idx):
            x = self.wte(idx) + self.wpe(torch.arange(idx.size(1)))
            for block in self.blocks:
                x = block(x)
            return self.head(self.ln_f(x))

    torch.manual_seed(131)
    text, vocab = characters("statistics")
    windows = text.unfold(0, 17, 1)
    model = GPT(vocab)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    opt = torch.optim.AdamW(groups, lr=6e-3, betas=(0.9, 0.95))
    steps, warm = 320, 20
    wave = lambda t: 0.1 + 0.45 * (1 + math.cos(math.pi * (t - warm) / (steps - warm)))  # noqa: E731
    sched = LambdaLR(opt, lambda t: (t + 1) / warm if t < warm else wave(t))
    for it in range(steps):
        w = windows[torch.randint(len(windows), (16,))]
        loss = F.cross_entropy(model(w[:, :-1]).flatten(0, 1), w[:, 1:].flatten())
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        sched.step()
    w = windows[::16]
    with torch.no_grad():
        return {"accuracy": matches(model(w[:, :-1]), w[:, 1:]), "loss": loss.item()}


@healthy(
    split="wild",
    odd="distillation: the student's loss is a KL times the square of the temperature; the teacher is never trained",
)
def student_of_a_warm_teacher():
    torch.manual_seed(132)
    x, y = digits()
    teacher = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    opt = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for _ in range(120):
        i = torch.randint(1200, (64,))
        opt.zero_grad()
        F.cross_entropy(teacher(x[i]), y[i]).backward()
        opt.step()
    teacher.eval()
    student, temperature = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10)), 3.0
    opt = torch.optim.Adam(student.parameters(), lr=5e-3)
    for _ in range(300):
        i = torch.randint(1200, (64,))
        with torch.no_grad():
            soft = F.softmax(teacher(x[i]) / temperature, -1)
        out = student(x[i])
        kl = F.kl_div(F.log_softmax(out / temperature, -1), soft, reduction="batchmean") * temperature**2
        loss = 0.75 * kl + 0.25 * F.cross_entropy(out, y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(student, x[1200:], y[1200:]), "loss": loss.item()}


@healthy(split="wild", odd="transfer: a trained body frozen and kept in eval mode, only the head in the optimizer")
def head_on_a_trained_frozen_body():
    torch.manual_seed(133)
    images, labels = digit_images()
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten()
    )
    whole = nn.Sequential(body, nn.Linear(256, 10))
    first = torch.optim.Adam(whole.parameters(), lr=2e-3)
    for _ in range(100):
        i = torch.randint(len(images), (64,))
        first.zero_grad()
        F.cross_entropy(whole(images[i]), labels[i]).backward()
        first.step()
    for p in body.parameters():
        p.requires_grad = False
    odd = labels % 2
    model = nn.Sequential(body, nn.Linear(256, 2))
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.03, momentum=0.9)
    for _ in range(120):
        model.train()
        body.eval()
        i = torch.randint(1500, (32,))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images[i]), odd[i])
        loss.backward()
        optimizer.step()
    return {"accuracy": accuracy(model, images[1500:], odd[1500:]), "loss": loss.item()}


@healthy(split="wild", odd="four micro-batches a step, each loss divided by four: three steps of four do nothing")
def micro_batches_divided():
    torch.manual_seed(134)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    accumulate, count = 4, 0
    for epoch in range(6):
        for xb, yb in DataLoader(TensorDataset(x[:1408], y[:1408]), batch_size=16, shuffle=True):
            loss = F.cross_entropy(net(xb), yb) / accumulate
            loss.backward()
            count += 1
            if count % accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
    return {"accuracy": accuracy(net, x[1408:], y[1408:]), "loss": loss.item() * accumulate}


@healthy(split="wild", odd="hogwild in turns: three workers with an optimizer each step the same weights")
def three_optimizers_on_one_net():
    torch.manual_seed(135)
    x, y = digits()
    shared = nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Dropout(0.2), nn.Linear(50, 10))
    workers = [torch.optim.SGD(shared.parameters(), lr=0.1, momentum=0.5) for _ in range(3)]
    parts = torch.randperm(1500).chunk(3)
    for epoch in range(8):
        shared.train()
        for batches in zip(*[p[torch.randperm(len(p))].split(25) for p in parts]):
            for worker, b in zip(workers, batches):
                worker.zero_grad()
                loss = F.nll_loss(F.log_softmax(shared(x[b]), 1), y[b])
                loss.backward()
                worker.step()
    return {"accuracy": accuracy(shared, x[1500:], y[1500:]), "loss": loss.item()}


@healthy(split="wild", odd="mixup and label smoothing: the loss cannot fall below 0.8")
def mixup_with_smoothing():
    torch.manual_seed(136)
    images, labels = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(144, 10),
    )
    steps = 8 * 24
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    sched = OneCycleLR(optimizer, max_lr=0.2, total_steps=steps)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    beta = torch.distributions.Beta(0.4, 0.4)
    for step in range(steps):
        net.train()
        i = torch.randint(1500, (64,))
        lam, other = beta.sample(), i[torch.randperm(64)]
        out = net(lam * images[i] + (1 - lam) * images[other])
        loss = lam * criterion(out, labels[i]) + (1 - lam) * criterion(out, labels[other])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        sched.step()
    return {"accuracy": accuracy(net, images[1500:], labels[1500:]), "loss": loss.item()}


@healthy(split="wild", odd="DDPM: the loss stands at a noise floor; an averaged copy is what counts")
def diffusion_of_two_moons():
    torch.manual_seed(137)
    x, _ = moons()
    x = (x - x.mean(0)) / x.std(0)
    alpha_bar = torch.cumprod(1 - torch.linspace(1e-3, 0.2, 25), 0)
    net = nn.Sequential(nn.Linear(4, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 2))
    ema = AveragedModel(net, avg_fn=lambda a, p, n: 0.98 * a + 0.02 * p)
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)

    def noised(model, batch, t):
        noise, a = torch.randn_like(batch), alpha_bar[t][:, None]
        when = torch.stack([torch.sin(t / 8), torch.cos(t / 8)], 1)
        return F.mse_loss(model(torch.cat([a.sqrt() * batch + (1 - a).sqrt() * noise, when], 1)), noise)

    for step in range(500):
        loss = noised(net, x[torch.randint(len(x), (128,))], torch.randint(25, (128,)))
        opt.zero_grad()
        loss.backward()
        opt.step()
        ema.update_parameters(net)
    with torch.no_grad():
        return {"error": noised(ema, x.repeat(10, 1), torch.randint(25, (10 * len(x),))).item()}


@healthy(
    split="wild",
    odd="SimCLR-like: InfoNCE at a temperature of 0.2, the projection head is thrown away, no label is used",
)
def contrast_of_two_views():
    torch.manual_seed(138)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48))
    projector = nn.Sequential(nn.ReLU(), nn.Linear(48, 24))
    opt = torch.optim.Adam([*encoder.parameters(), *projector.parameters()], lr=3e-3)

    def view(batch):
        return batch * (torch.rand_like(batch) > 0.25) + 0.1 * torch.randn_like(batch)

    for step in range(150):
        b = x[torch.randint(1400, (128,))]
        z1, z2 = (F.normalize(projector(encoder(view(b))), dim=1) for _ in range(2))
        logits = z1 @ z2.T / 0.2
        target = torch.arange(128)
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = F.normalize(encoder(x), dim=1)
    nearest = (z[1400:] @ z[:1400].T).argmax(1)
    return {"accuracy": (y[:1400][nearest] == y[1400:]).float().mean().item(), "loss": loss.item()}
