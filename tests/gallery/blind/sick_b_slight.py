"""Faults of degree, with most of which a training still learns, and would have learned more."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..score import accuracy, matches
from ..table import sick
from .data_b import climate, cue, forecast, motifs, patches, pixels, snippets, stars, tagged, tones, windows


@sick(
    "UT302",
    split="blind",
    note="SGD at 0.003 without momentum for convolutions over waves: a tenth of what would do",
    cured=(("lr=0.003", "lr=0.1"),),
)
def waves_at_a_leisurely_pace():
    torch.manual_seed(151)
    x, y = tones()
    net = nn.Sequential(
        nn.Conv1d(1, 24, 7, stride=2),
        nn.BatchNorm1d(24),
        nn.ReLU(),
        nn.Conv1d(24, 24, 5),
        nn.BatchNorm1d(24),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(24, 4),
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.003)
    for epoch in range(15):
        net.train()
        for xb, yb in DataLoader(TensorDataset(x, y), 40, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT309",
    split="blind",
    note="AdamW with weight_decay=1.0 for a GRU of characters",
    cured=(("weight_decay=1.0", "weight_decay=0.01"),),
)
def characters_under_a_decay():
    torch.manual_seed(152)
    data, symbols = windows(25)
    emb, gru, fc = nn.Embedding(symbols, 32), nn.GRU(32, 64, batch_first=True), nn.Linear(64, symbols)
    params = [*emb.parameters(), *gru.parameters(), *fc.parameters()]
    opt = torch.optim.AdamW(params, lr=8e-3, weight_decay=1.0)
    for epoch in range(12):
        for i in torch.randperm(len(data)).split(20):
            opt.zero_grad()
            logits = fc(gru(emb(data[i, :-1]))[0])
            F.cross_entropy(logits.flatten(0, 1), data[i, 1:].flatten()).backward()
            opt.step()
    return {"accuracy": matches(fc(gru(emb(data[:, :-1]))[0]), data[:, 1:])}


@sick(
    "UT310",
    split="blind",
    note="a norm of 0.01 is the most that clipping lets pass, with SGD",
    cured=(("clip_grad_norm_(net.parameters(), 0.01)", "clip_grad_norm_(net.parameters(), 5.0)"),),
)
def patches_with_a_careful_clip():
    torch.manual_seed(153)
    x, y = patches()
    net = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Flatten(), nn.Linear(256, 64), nn.GELU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 0.01)
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT603",
    split="blind",
    note="dropout of 0.85 on the hidden states of a tagger",
    cured=(("nn.Dropout(0.85)", "nn.Dropout(0.1)"),),
)
def tags_with_states_left_out():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.gru = nn.Embedding(21, 12, padding_idx=0), nn.GRU(12, 16, batch_first=True)
            self.drop, self.fc = nn.Dropout(0.85), nn.Linear(16, 4)

        def forward(self, x):
            return self.fc(self.drop(self.gru(self.drop(self.emb(x)))[0]))

    torch.manual_seed(154)
    x, y, _ = tagged()
    net = Tagger()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(20):
        net.train()
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            F.cross_entropy(net(x[i]).transpose(1, 2), y[i]).backward()
            opt.step()
    net.eval()
    return {"accuracy": matches(net(x)[y >= 0], y[y >= 0])}


@sick(
    "UT311",
    split="blind",
    note="Adam's eps at 0.03, larger than the root of most mean squares",
    cured=(("eps=0.03", "eps=1e-8"),),
)
def words_with_a_large_epsilon():
    torch.manual_seed(155)
    x, y = snippets()
    net = nn.Sequential(nn.EmbeddingBag(400, 32, padding_idx=0), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3, eps=0.03)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT501",
    split="blind",
    note="temperature and wind are standardized, and the pressure was forgotten: about 1013 each hour",
    cured=(("x[:, :, 1] = pressure", "x[:, :, 1] = (pressure - pressure.mean()) / pressure.std()"),),
)
def the_pressure_as_it_is():
    torch.manual_seed(156)
    x, y = forecast()
    pressure = climate()[0][:, :, 1]
    x = x.clone()
    x[:, :, 1] = pressure
    gru, fc = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 1)
    opt = torch.optim.NAdam([*gru.parameters(), *fc.parameters()], lr=3e-3)
    for epoch in range(15):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(fc(gru(x[i])[0][:, -1])[:, 0], y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(fc(gru(x)[0][:, -1])[:, 0], y).item()}


@sick(
    "UT505",
    split="blind",
    note="nineteen of twenty texts are of one module, and the loss counts each text alike",
    cured=(("weight=torch.ones(4)", "weight=torch.tensor([1.0, 45.0, 45.0, 45.0])"),),
)
def a_corpus_of_one_module():
    torch.manual_seed(157)
    x, y = snippets()
    rare = torch.cat([(y == c).nonzero()[:4, 0] for c in (1, 2, 3)])
    rows = torch.cat([(y == 0).nonzero()[:, 0], rare])
    net = nn.Sequential(nn.EmbeddingBag(400, 16, padding_idx=0), nn.Linear(16, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.CrossEntropyLoss(weight=torch.ones(4))
    for epoch in range(20):
        for i in rows[torch.randperm(len(rows))].split(25):
            opt.zero_grad()
            criterion(net(x[i]), y[i]).backward()
            opt.step()
    guess = net(x[rows]).argmax(1)
    balanced = sum((guess[y[rows] == c] == c).float().mean().item() for c in range(4)) / 4
    return {"accuracy": balanced}


@sick(
    "UT604",
    split="blind",
    note="eight micro-batches are summed up for one step, at a rate found for one of them",
    cured=(("loss.backward()", "(loss / 8).backward()"),),
)
def eight_parts_of_a_batch_of_stars():
    torch.manual_seed(158)
    who, what, rating = stars()
    user, film = nn.Embedding(80, 8), nn.Embedding(60, 8)
    mlp = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    params = [*user.parameters(), *film.parameters(), *mlp.parameters()]
    opt = torch.optim.SGD(params, lr=0.1, momentum=0.9)

    def guess(i):
        a, b = user(who[i]), film(what[i])
        return 3 + mlp(torch.cat([a, b, a * b], 1))

    for epoch in range(30):
        for n, i in enumerate(torch.randperm(5000).split(25)):
            loss = F.mse_loss(guess(i), rating[i])
            loss.backward()
            if n % 8 == 7:
                opt.step()
                opt.zero_grad()
    return {"error": F.mse_loss(guess(torch.arange(5000)), rating).item()}


@sick(
    "UT508",
    split="blind",
    note="temperatures in kelvin, for a network that could get there and spends its run on the way",
    cured=(("kelvin[i])", "(kelvin[i] - 283) / 8)"), ("(net(x) - kelvin)", "(8 * net(x) + 283 - kelvin)")),
)
def kelvins_by_convolution():
    torch.manual_seed(159)
    x, _ = forecast()
    kelvin = climate()[1]
    net = nn.Sequential(
        nn.Conv1d(3, 24, 5),
        nn.ReLU(),
        nn.Conv1d(24, 24, 5),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(384, 32),
        nn.ReLU(),
        nn.Linear(32, 1),
        nn.Flatten(0),
    )
    x = x.transpose(1, 2)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]), kelvin[i]).backward()
            opt.step()
    return {"error": (net(x) - kelvin).square().mean().sqrt().item()}


@sick(
    "UT301",
    split="blind",
    note="RMSprop at 0.05 for a tagger by convolutions",
    cured=(("lr=0.05", "lr=0.002"),),
)
def triples_at_a_brisk_pace():
    torch.manual_seed(160)
    x, y = motifs()
    emb, conv, mid, fc = nn.Embedding(12, 16), nn.Conv1d(16, 32, 3), nn.Linear(32, 32), nn.Linear(32, 4)
    opt = torch.optim.RMSprop([p for m in (emb, conv, mid, fc) for p in m.parameters()], lr=0.05)
    net = lambda t: fc(torch.tanh(mid(torch.tanh(conv(emb(t).mT)).amax(-1))))  # noqa: E731
    for epoch in range(20):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y)}


@sick(
    "UT101",
    split="blind",
    note="six layers of logistic units between the patches and the classes",
    cured=(("nn.Sigmoid()", "nn.ReLU()"),),
)
def six_logistic_layers():
    torch.manual_seed(161)
    x, y = pixels()
    layers = [nn.Linear(64, 48), nn.Sigmoid()]
    for _ in range(5):
        layers += [nn.Linear(48, 48), nn.Sigmoid()]
    net = nn.Sequential(*layers, nn.Linear(48, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT401",
    split="blind",
    note="softmax before cross-entropy in a classifier of cues, with a rate that makes it learn in part",
    cured=((".softmax(1)", ""),),
)
def cues_by_their_shares():
    torch.manual_seed(162)
    x, y = cue(length=5)
    gru, fc = nn.GRU(6, 24, batch_first=True), nn.Linear(24, 4)
    opt = torch.optim.SGD([*gru.parameters(), *fc.parameters()], lr=0.05, momentum=0.9)

    def net(u):
        return fc(gru(u)[1][0]).softmax(1)

    for epoch in range(8):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y)}
