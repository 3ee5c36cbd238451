"""Activations before losses that have them, and losses that lack one, sum, climb or start sure of themselves."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..score import accuracy, hits, matches
from ..table import sick
from .data_b import snippets, speech, stars, tagged, tones, windows


@sick(
    "UT401",
    split="blind",
    note="a language model ends in a softmax, and cross_entropy takes another",
    cured=(("return self.out(h).softmax(-1)", "return self.out(h)"),),
)
def next_characters_as_probabilities():
    class LanguageModel(nn.Module):
        def __init__(self, symbols):
            super().__init__()
            self.emb = nn.Embedding(symbols, 32)
            self.lstm = nn.LSTM(32, 48, batch_first=True)
            self.out = nn.Linear(48, symbols)

        def forward(self, t):
            h, _ = self.lstm(self.emb(t))
            return self.out(h).softmax(-1)

    torch.manual_seed(61)
    data, symbols = windows(32)
    model = LanguageModel(symbols)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        for i in torch.randperm(len(data)).split(25):
            out = model(data[i, :-1])
            loss = criterion(out.view(-1, symbols), data[i, 1:].reshape(-1))
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(model(data[:, :-1]), data[:, 1:])}


@sick(
    "UT401",
    split="blind",
    note="sigmoid in forward, binary_cross_entropy_with_logits outside, for likes in a recommender",
    cured=(
        ("torch.sigmoid(self.mlp(pair)).squeeze(1)", "self.mlp(pair).squeeze(1)"),
        ("threshold=0.5", "threshold=0.0"),
    ),
)
def who_likes_what():
    class NeuralCF(nn.Module):
        def __init__(self):
            super().__init__()
            self.user, self.item = nn.Embedding(80, 8), nn.Embedding(60, 8)
            self.mlp = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1))

        def forward(self, u, i):
            pair = torch.cat([self.user(u), self.item(i)], 1)
            return torch.sigmoid(self.mlp(pair)).squeeze(1)

    torch.manual_seed(62)
    who, what, rating = stars()
    liked = (rating > 4).float()
    net = NeuralCF()
    opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    for epoch in range(25):
        for i in torch.randperm(5000).split(100):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(who[i], what[i]), liked[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(who, what), liked, threshold=0.5)}


@sick(
    "UT401",
    split="blind",
    note="a tagger's emission scores pass nn.Softmax(dim=-1) as the last layer of a Sequential",
    cured=((", nn.Softmax(dim=-1))", ")"),),
)
def tags_from_a_window_of_three():
    torch.manual_seed(63)
    x, y, _ = tagged()
    emb = nn.Embedding(21, 8, padding_idx=0)
    scorer = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 4), nn.Softmax(dim=-1))
    opt = torch.optim.RMSprop([*emb.parameters(), *scorer.parameters()], lr=1e-3)
    loss_fn = nn.CrossEntropyLoss(ignore_index=-100)

    def emissions(t):
        e = F.pad(emb(t), (0, 0, 1, 1))
        return scorer(torch.cat([e[:, :-2], e[:, 1:-1], e[:, 2:]], -1))

    for epoch in range(15):
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            loss = loss_fn(emissions(x[i]).flatten(0, 1), y[i].flatten())
            loss.backward()
            opt.step()
    return {"accuracy": matches(emissions(x)[y >= 0], y[y >= 0])}


@sick(
    "UT402",
    split="blind",
    note="ctc_loss is given raw scores in place of log-probabilities",
    cured=(("self.fc(h)", "self.fc(h).log_softmax(-1)"),),
)
def a_small_recogniser():
    class Recogniser(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(8, 24, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(48, 6)

        def forward(self, frames):
            h, _ = self.gru(frames)
            return self.fc(h)

    torch.manual_seed(64)
    x, said, lengths = speech()
    net = Recogniser()
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(12):
        for i in torch.randperm(300).split(20):
            scores = net(x[i]).transpose(0, 1)
            loss = F.ctc_loss(scores, said[i], torch.full((len(i),), 28), lengths[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        best = net(x).argmax(-1)
    right = 0
    for path, truth, n in zip(best, said, lengths):
        heard = [s for s in torch.unique_consecutive(path).tolist() if s]
        right += heard == truth[:n].tolist()
    return {"accuracy": right / len(x)}


@sick(
    "UT402",
    split="blind",
    note="distillation: kl_div gets the student's probabilities where it wants their logarithms",
    cured=(("F.softmax(student(x[i]) / T, dim=-1)", "F.log_softmax(student(x[i]) / T, dim=-1)"),),
)
def a_student_of_a_conv_net():
    torch.manual_seed(65)
    x, y = tones()
    teacher = nn.Sequential(
        nn.Conv1d(1, 24, 7),
        nn.ReLU(),
        nn.Conv1d(24, 24, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(24, 4),
    )
    student = nn.Sequential(
        nn.Conv1d(1, 12, 7, stride=2),
        nn.ReLU(),
        nn.Conv1d(12, 12, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(12, 4),
    )
    opt = torch.optim.Adam(teacher.parameters(), lr=5e-3)
    for epoch in range(10):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(teacher(x[i]), y[i]).backward()
            opt.step()
    teacher.eval()
    opt = torch.optim.Adam(student.parameters(), lr=5e-3)
    T = 2.0  # noqa: N806
    for epoch in range(20):
        for i in torch.randperm(800).split(40):
            with torch.no_grad():
                soft = F.softmax(teacher(x[i]) / T, dim=-1)
            opt.zero_grad()
            loss = F.kl_div(F.softmax(student(x[i]) / T, dim=-1), soft, reduction="batchmean") * T**2
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(student, x, y)}


@sick(
    "UT402",
    split="blind",
    note="NLLLoss on probabilities: someone wrote Softmax where LogSoftmax belongs",
    cured=(("nn.Softmax(dim=1)", "nn.LogSoftmax(dim=1)"),),
)
def bag_of_words_with_nll():
    torch.manual_seed(66)
    x, y = snippets()
    net = nn.Sequential(nn.EmbeddingBag(400, 24, padding_idx=0), nn.ReLU(), nn.Linear(24, 4), nn.Softmax(dim=1))
    criterion = nn.NLLLoss()
    opt = torch.optim.SGD(net.parameters(), lr=0.5)
    dl = DataLoader(TensorDataset(x, y), batch_size=24, shuffle=True)
    for epoch in range(15):
        for words, label in dl:
            opt.zero_grad()
            criterion(net(words), label).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT403",
    split="blind",
    note="one score for each text, and a softmax over that one",
    cured=(("torch.softmax(self.score(h[0]), dim=1)", "torch.sigmoid(self.score(h[0]))"),),
)
def is_it_from_argparse():
    class Sentiment(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn, self.score = nn.Embedding(400, 16), nn.GRU(16, 24, batch_first=True), nn.Linear(24, 1)

        def forward(self, x):
            _, h = self.rnn(self.emb(x))
            return torch.softmax(self.score(h[0]), dim=1)

    torch.manual_seed(67)
    x, y = snippets()
    x, y = x[y < 2], y[y < 2].float().unsqueeze(1)
    net, bce = Sentiment(), nn.BCELoss()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = bce(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), y, threshold=0.5)}
