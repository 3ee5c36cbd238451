"""Losses of many kinds, each learning."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, characters, diabetes, digits, iris, regression, wine
from ..score import accuracy, hits, matches
from ..table import healthy


def mlp(*sizes, act=nn.ReLU):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1])


@healthy(split="build", odd="contrastive InfoNCE over two noisy views")
def info_nce():
    torch.manual_seed(0)
    x, y = digits()
    encoder = mlp(64, 64, 16)
    opt = torch.optim.Adam(encoder.parameters(), lr=3e-3)
    for _ in range(150):
        batch = x[torch.randperm(len(x))[:128]]
        a = F.normalize(encoder(batch + 0.15 * torch.randn_like(batch)), dim=1)
        b = F.normalize(encoder(batch + 0.15 * torch.randn_like(batch)), dim=1)
        loss = F.cross_entropy(a @ b.T / 0.1, torch.arange(128))
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "matched": matches(a @ b.T, torch.arange(128))}


@healthy(split="judge", odd="triplet margin: many triplets have loss 0 and no gradient")
def triplet_margin():
    torch.manual_seed(1)
    x, y = digits()
    by_class = [x[y == c] for c in range(10)]

    def pick(classes):
        return torch.stack([by_class[c][torch.randint(len(by_class[c]), ())] for c in classes])

    net = mlp(64, 48, 8)
    criterion = nn.TripletMarginLoss(margin=0.5)
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(150):
        c = torch.randint(10, (96,))
        other = (c + torch.randint(1, 10, (96,))) % 10
        loss = criterion(net(pick(c)), net(pick(c)), net(pick(other)))
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="a siamese pair with cosine embedding loss")
def cosine_siamese():
    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch = mlp(13, 32, 8, act=nn.Tanh)

        def forward(self, a, b):
            return self.branch(a), self.branch(b)

    torch.manual_seed(2)
    x, y = wine()
    model = Siamese()
    criterion = nn.CosineEmbeddingLoss(margin=0.2)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(150):
        i, j = torch.randint(178, (2, 64))
        same = 2.0 * (y[i] == y[j]) - 1
        loss = criterion(*model(x[i], x[j]), same)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="judge", odd="hinge: most samples have no gradient at the end")
def hinge_svm():
    torch.manual_seed(3)
    x, y = cancer()
    sign = 2.0 * y - 1
    model = nn.Linear(30, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.02, weight_decay=1e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(40):
            loss = F.relu(1 - sign[i] * model(x[i]).squeeze(1)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x), y)}


@healthy(split="build", odd="multi-class margin loss on raw scores")
def multi_margin():
    torch.manual_seed(4)
    x, y = iris()
    net = mlp(4, 16, 3)
    opt = torch.optim.RMSprop(net.parameters(), lr=5e-3)
    for _ in range(150):
        loss = F.multi_margin_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="the loss is a sum over the batch, with a small rate to match")
def summed_loss():
    torch.manual_seed(6)
    x, y = digits()
    model = mlp(64, 40, 10)
    criterion = nn.CrossEntropyLoss(reduction="sum")
    opt = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    for _ in range(150):
        i = torch.randint(len(x), (100,))
        loss = criterion(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="distillation: KL of tempered softmaxes, the teacher frozen")
def distillation():
    torch.manual_seed(7)
    x, y = digits()
    teacher = mlp(64, 96, 10)
    opt = torch.optim.Adam(teacher.parameters(), lr=5e-3)
    for _ in range(100):
        opt.zero_grad()
        F.cross_entropy(teacher(x), y).backward()
        opt.step()
    teacher.requires_grad_(False).eval()
    student = mlp(64, 16, 10)
    opt = torch.optim.Adam(student.parameters(), lr=0.01)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        soft = F.softmax(teacher(x[i]) / 3, dim=1)
        loss = 9 * F.kl_div(F.log_softmax(student(x[i]) / 3, dim=1), soft, reduction="batchmean")
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(student, x, y)}


@healthy(split="build", odd="two heads and two losses of different size")
def two_tasks():
    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
            self.digit = nn.Linear(48, 10)
            self.ink = nn.Linear(48, 1)

        def forward(self, x):
            h = self.trunk(x)
            return self.digit(h), self.ink(h)

    torch.manual_seed(8)
    x, y = digits()
    ink = x.sum(1, keepdim=True)
    model = TwoHeads()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        digit, amount = model(x[i])
        loss = F.cross_entropy(digit, y[i]) + 0.05 * F.mse_loss(amount, ink[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(digit, y[i]), "error": F.mse_loss(amount, ink[i]).item()}


@healthy(split="judge", odd="many labels, ten sigmoids; the mean loss starts at 0.69 and ends near 0")
def multilabel_logits():
    torch.manual_seed(9)
    x, y = digits()
    labels = F.one_hot(y, 10).float()
    labels = torch.cat([labels, (y % 2 == 0).float()[:, None]], 1)
    net = mlp(64, 64, 11)
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        out = net(x[i])
        loss = F.binary_cross_entropy_with_logits(out, labels[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(out[:, :10], y[i])}


@healthy(split="build", odd="Gaussian likelihood with a learned variance; the loss goes below 0")
def heteroscedastic_regression():
    torch.manual_seed(10)
    x, y = regression(400, 6)
    net = mlp(6, 32, 2, act=nn.Tanh)
    criterion = nn.GaussianNLLLoss()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(250):
        mean, raw = net(x).unbind(1)
        loss = criterion(mean, y, F.softplus(raw) + 1e-3)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "error": F.mse_loss(mean, y).item()}


@healthy(split="judge", odd="Poisson likelihood of counts")
def poisson_counts():
    torch.manual_seed(11)
    x = torch.randn(500, 4)
    counts = torch.poisson((x @ torch.tensor([0.8, -0.5, 0.3, 0.0]) + 1).exp())
    net = nn.Linear(4, 1)
    opt = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(200):
        loss = F.poisson_nll_loss(net(x).squeeze(1), counts)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "weight": net.weight[0, 0].item(), "true": 0.8}


@healthy(split="build", odd="focal loss over a rare class: the loss is small from the start")
def focal_rare_class():
    torch.manual_seed(12)
    x = torch.randn(2000, 6)
    y = (x[:, 0] + x[:, 1] > 2.7).float()
    net = mlp(6, 32, 1)
    nn.init.constant_(net[2].bias, -3.0)
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(200):
        i = torch.randint(2000, (256,))
        ce = F.binary_cross_entropy_with_logits(net(x[i]).squeeze(1), y[i], reduction="none")
        loss = ((1 - (-ce).exp()) ** 2 * ce).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    score = net(x).squeeze(1)
    return {"loss": loss.item(), "gap": (score[y > 0].mean() - score[y == 0].mean()).item()}


@healthy(split="judge", odd="skip-gram with negative samples")
def skip_gram():
    torch.manual_seed(13)
    ids, vocab = characters("statistics")
    centre, context = nn.Embedding(vocab, 12), nn.Embedding(vocab, 12)
    opt = torch.optim.Adagrad([*centre.parameters(), *context.parameters()], lr=0.3)
    for _ in range(200):
        i = torch.randint(len(ids) - 1, (128,))
        c = centre(ids[i])
        near = (c * context(ids[i + 1])).sum(1)
        far = (c[:, None] * context(torch.randint(vocab, (128, 5)))).sum(2)
        loss = -F.logsigmoid(near).mean() - F.logsigmoid(-far).sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="robust loss, (N, 1) against (N, 1)")
def huber_columns():
    torch.manual_seed(14)
    x, y = diabetes()
    y = y.view(-1, 1)
    model = mlp(10, 24, 1, act=nn.ELU)
    opt = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    start = F.huber_loss(model(x), y).item()
    for _ in range(150):
        opt.zero_grad()
        loss = F.huber_loss(model(x), y)
        loss.backward()
        opt.step()
    return {"start": start, "loss": loss.item()}
