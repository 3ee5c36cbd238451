"""Losses that meet an activation twice or not at all, as other people might combine them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, digit_images, digits, iris, wine
from ..score import accuracy, matches
from ..table import sick


@sick(
    "UT401",
    module=("up", ""),
    split="unseen",
    note="segmentation: softmax over the channels of a U-Net, then cross-entropy",
)
def segmentation_with_softmax():
    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Conv2d(1, 8, 3, padding=1)
            self.middle = nn.Conv2d(8, 16, 3, padding=1)
            self.up = nn.Conv2d(24, 3, 3, padding=1)

        def forward(self, img):
            high = F.relu(self.down(img))
            low = F.relu(self.middle(F.max_pool2d(high, 2)))
            joined = torch.cat([high, F.interpolate(low, scale_factor=2)], 1)
            return F.softmax(self.up(joined), dim=1)

    torch.manual_seed(401)
    img, _ = digit_images()
    mask = (img[:, 0] > 0.2).long() + (img[:, 0] > 0.7).long()
    unet = UNet()
    opt = torch.optim.SGD(unet.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(2):
        for im, mk in DataLoader(TensorDataset(img, mask), batch_size=32, shuffle=True):
            opt.zero_grad()
            prob = unet(im)
            loss = F.cross_entropy(prob, mk)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": (prob.argmax(1) == mk).float().mean().item()}


@sick("UT401", module=None, split="unseen", note="sigmoid of a dot product, then the loss for logits")
def link_prediction_sigmoid_twice():
    class Linker(nn.Module):
        def __init__(self, nodes, dim=12):
            super().__init__()
            self.vectors = nn.Embedding(nodes, dim)

        def forward(self, pairs):
            left, right = self.vectors(pairs[:, 0]), self.vectors(pairs[:, 1])
            return (left * right).sum(-1).sigmoid()

    torch.manual_seed(402)
    x, y = iris()
    linker = Linker(150)
    opt = torch.optim.Adagrad(linker.parameters(), lr=0.1)
    criterion = nn.BCEWithLogitsLoss()
    for _ in range(200):
        pairs = torch.randint(150, (256, 2))
        linked = (y[pairs[:, 0]] == y[pairs[:, 1]]).float()
        score = linker(pairs)
        loss = criterion(score, linked)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": ((score > 0.5) == linked.bool()).float().mean().item()}


@sick("UT401", module=None, split="unseen", note="exp of log_softmax as scores for a weighted cross-entropy")
def graph_nodes_as_probabilities():
    class GCN(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(13, 16)
            self.second = nn.Linear(16, 3)

        def forward(self, nodes, edges):
            hidden = torch.relu(edges @ self.first(nodes))
            return F.log_softmax(edges @ self.second(hidden), dim=1).exp()

    torch.manual_seed(403)
    nodes, kind = wine()
    near = torch.cdist(nodes, nodes).topk(6, largest=False).indices
    edges = torch.zeros(178, 178).scatter(1, near, 1 / 6)
    gcn = GCN()
    opt = torch.optim.SGD(gcn.parameters(), lr=0.1, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 0.8, 1.2]))
    known = torch.randperm(178)[:90]
    for _ in range(100):
        opt.zero_grad()
        prob = gcn(nodes, edges)
        loss = criterion(prob[known], kind[known])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(prob, kind)}


@sick("UT402", module=None, split="unseen", note="NLL over (batch, class, time) of a GRU's raw scores")
def sequence_nll_on_scores():
    class Speller(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.look = nn.Embedding(vocab, 12)
            self.gru = nn.GRU(12, 24, batch_first=True)
            self.say = nn.Linear(24, vocab)

        def forward(self, idx):
            hidden, _ = self.gru(self.look(idx))
            return self.say(hidden).permute(0, 2, 1)

    torch.manual_seed(404)
    ids, vocab = characters("statistics")
    windows = ids.unfold(0, 13, 5)
    speller = Speller(vocab)
    opt = torch.optim.RMSprop(speller.parameters(), lr=3e-3)
    nll = nn.NLLLoss()
    for epoch in range(4):
        for i in torch.randperm(len(windows)).split(32):
            opt.zero_grad()
            scores = speller(windows[i, :-1])
            loss = nll(scores, windows[i, 1:])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": (scores.argmax(1) == windows[i, 1:]).float().mean().item()}


@sick("UT402", module=None, split="unseen", note="distillation: KL from the student's probabilities, not their logs")
def kl_from_probabilities():
    torch.manual_seed(405)
    x, y = digits()
    teacher = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adam(teacher.parameters(), lr=0.01)
    for _ in range(80):
        opt.zero_grad()
        F.cross_entropy(teacher(x), y).backward()
        opt.step()
    student = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    opt = torch.optim.Adam(student.parameters(), lr=5e-3)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        with torch.no_grad():
            wanted = teacher(x[i]).softmax(-1)
        guessed = student(x[i]).softmax(-1)
        loss = F.kl_div(guessed, wanted, reduction="batchmean")
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(student, x, y)}


@sick("UT402", module=None, split="unseen", note="minus the score of the right class, picked by hand; no log_softmax")
def picked_scores():
    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Conv2d(1, 16, 2, stride=2)
            self.mix = nn.Conv1d(16, 16, 1)
            self.score = nn.Linear(16, 10)

        def forward(self, img):
            tokens = F.gelu(self.patch(img)).flatten(2)
            return self.score(F.gelu(self.mix(tokens)).amax(-1))

    torch.manual_seed(406)
    img, digit = digit_images()
    model = Patches()
    opt = torch.optim.Adamax(model.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(len(img), (64,))
        scores = model(img[i])
        loss = -scores.gather(1, digit[i].unsqueeze(1)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, img, digit)}
