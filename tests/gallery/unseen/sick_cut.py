"""Gradients that are cut, as other people might cut them."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import characters, moons
from ..score import accuracy, matches
from ..table import sick


@sick("UT103", module=("reader", "embed", ""), split="unseen", note="the context of a seq2seq model is detached")
def context_detached():
    class Seq2Seq(nn.Module):
        def __init__(self, vocab, dim=8):
            super().__init__()
            self.embed = nn.Embedding(vocab, 4)
            self.reader = nn.GRU(4, dim, batch_first=True)
            self.writer = nn.GRU(4, dim, batch_first=True)
            self.speak = nn.Linear(dim, vocab)

        def forward(self, source, previous):
            _, context = self.reader(self.embed(source))
            context = context.clone().detach()  # <- fault
            answer, _ = self.writer(self.embed(previous), context)
            return self.speak(answer)

    torch.manual_seed(107)
    model = Seq2Seq(7)
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        source = torch.randint(1, 7, (64, 4))
        target = source.flip(1)
        previous = F.pad(target[:, :-1], (1, 0))
        scores = model(source, previous)
        loss = F.cross_entropy(scores.transpose(1, 2), target)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, target)}


@sick("UT103", module=("router", ""), split="unseen", note="experts chosen by argmax; the router never learns")
def hard_router():
    class Experts(nn.Module):
        def __init__(self, count=3):
            super().__init__()
            self.router = nn.Linear(2, count)
            self.experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(count))

        def forward(self, point):
            chosen = self.router(point).argmax(-1)  # <- fault
            outputs = torch.stack([expert(point) for expert in self.experts], 1)
            return outputs[torch.arange(len(point)), chosen]

    torch.manual_seed(108)
    points, side = moons(400, 0.1)
    model = Experts()
    opt = torch.optim.AdamW(model.parameters(), lr=0.03)
    for _ in range(200):
        opt.zero_grad()
        loss = F.cross_entropy(model(points), side)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, points, side)}


@sick("UT103", module=("mix", "letters", ""), split="unseen", note="activations cast to integers to look up a table")
def buckets_by_integer_cast():
    class Bucketed(nn.Module):
        def __init__(self, vocab, buckets=12):
            super().__init__()
            self.buckets = buckets
            self.letters = nn.Embedding(vocab, 10)
            self.mix = nn.Linear(20, 2)
            self.table = nn.Embedding(buckets * buckets, vocab)

        def forward(self, pair):
            place = torch.sigmoid(self.mix(self.letters(pair).flatten(1)))
            cell = (place * self.buckets).long()  # <- fault
            return self.table(cell[:, 0] * self.buckets + cell[:, 1])

    torch.manual_seed(109)
    ids, vocab = characters("statistics")
    trigrams = ids.unfold(0, 3, 1)
    model = Bucketed(vocab)
    opt = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(200):
        batch = trigrams[torch.randint(len(trigrams), (256,))]
        loss = F.cross_entropy(model(batch[:, :2]), batch[:, 2])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}
