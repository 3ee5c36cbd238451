"""Recurrent nets and transformers that do not learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import adding, digit_images, first_symbol, waves
from ..score import accuracy, matches
from ..table import sick
from .data_b import strings, votes


@sick(
    "UT101",
    split="wild",
    module="rnn",
    note="recurrent weights drawn with std 0.02: what is remembered fades within a few steps",
    cured=(("nn.init.normal_(p, std=0.02)", "nn.init.orthogonal_(p)"),),
)
def recall_with_a_forgetful_rnn():
    class Recall(nn.Module):
        def __init__(self, symbols=4, width=48):
            super().__init__()
            self.rnn = nn.RNN(symbols, width, batch_first=True)
            self.head = nn.Linear(width, symbols)
            for name, p in self.rnn.named_parameters():
                if "weight_hh" in name:
                    nn.init.normal_(p, std=0.02)  # <- fault

        def forward(self, x):
            _, last = self.rnn(x)
            return self.head(last[0])

    torch.manual_seed(11)
    x, y = first_symbol(256, 24)
    model = Recall()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(40):
        for i in torch.randperm(len(x)).split(64):
            loss = F.cross_entropy(model(x[i]), y[i])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return {"accuracy": accuracy(model, x, y), "loss": loss.item()}


@sick(
    "UT102",
    split="wild",
    module="cell",
    note="a ReLU recurrence started at 1.6 times the identity, over 14 steps, unclipped",
    cured=(("1.6 * torch.eye(40)", "torch.eye(40)"),),
)
def identity_rnn_that_is_more_than_identity():
    torch.manual_seed(12)
    x, y = adding(512, 14)
    net = nn.ModuleDict({"cell": nn.RNNCell(2, 40, nonlinearity="relu"), "out": nn.Linear(40, 1)})
    with torch.no_grad():
        net["cell"].weight_hh.copy_(1.6 * torch.eye(40))  # <- fault
        net["cell"].bias_hh.zero_()
        net["cell"].bias_ih.zero_()

    def run(batch):
        h = batch.new_zeros(len(batch), 40)
        for t in range(batch.shape[1]):
            h = net["cell"](batch[:, t], h)
        return net["out"](h)

    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for _ in range(60):
        for batch, target in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            F.mse_loss(run(batch), target).backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(run(x), y).item()}


@sick(
    "UT103",
    split="wild",
    module="encoder",
    note="the state handed from encoder to decoder is detached, as between pieces of one long text",
    cured=(("state.detach()", "state"),),
)
def reversing_with_a_detached_state():
    class Seq2Seq(nn.Module):
        def __init__(self, vocab, dim=48):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.encoder = nn.GRU(16, dim, batch_first=True)
            self.decoder = nn.GRU(16, dim, batch_first=True)
            self.out = nn.Linear(dim, vocab)

        def forward(self, source, shifted):
            _, state = self.encoder(self.embed(source))
            h, _ = self.decoder(self.embed(shifted), state.detach())  # <- fault
            return self.out(h)

    torch.manual_seed(13)
    source = strings(1200, 8)
    target = source.flip(1)
    shifted = torch.cat([torch.zeros_like(target[:, :1]), target[:, :-1]], 1)
    model = Seq2Seq(9)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(30):
        for i in torch.randperm(len(source)).split(64):
            opt.zero_grad()
            loss = F.cross_entropy(model(source[i], shifted[i]).transpose(1, 2), target[i])
            loss.backward()
            opt.step()
    return {"accuracy": matches(model(source, shifted), target), "loss": loss.item()}


@sick(
    "UT105",
    split="wild",
    note="scores of attention multiplied by the width instead of divided by its root",
    cured=(("* k.shape[-1]", "/ k.shape[-1] ** 0.5"),),
)
def majority_vote_with_hard_attention():
    class SelfAttention(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))

        def forward(self, x):
            q, k, v = self.q(x), self.k(x), self.v(x)
            weight = (q @ k.transpose(1, 2) * k.shape[-1]).softmax(-1)  # <- fault
            return weight @ v

    class Voter(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.token = nn.Embedding(6, dim)
            self.attention = SelfAttention(dim)
            self.query = nn.Parameter(torch.randn(1, 1, dim) * 0.1)
            self.head = nn.Linear(dim, 2)

        def forward(self, x):
            t = torch.cat([self.query.expand(len(x), -1, -1), self.token(x)], 1)
            return self.head(self.attention(t)[:, 0])

    torch.manual_seed(14)
    x, y = votes()
    model = Voter()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(20):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(model(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT202",
    split="wild",
    module="lstm",
    note="all weights of the LSTM drawn with std 4: its gates stand open or shut",
    cured=(("nn.init.normal_(w, 0.0, 4.0)", "nn.init.normal_(w, 0.0, 0.15)"),),
)
def wave_forecast_with_stuck_gates():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(1, 24, batch_first=True)
            self.fc = nn.Linear(24, 1)
            for w in self.lstm.parameters():
                nn.init.normal_(w, 0.0, 4.0)  # <- fault

        def forward(self, x):
            h, _ = self.lstm(x)
            return self.fc(h[:, -1])

    torch.manual_seed(15)
    x, y = waves(256, 20)
    model = Forecaster()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    for _ in range(40):
        order = torch.randperm(len(x))
        for start in range(0, len(x), 64):
            i = order[start : start + 64]
            optimizer.zero_grad()
            loss = F.huber_loss(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(x), y).item(), "loss": loss.item()}


@sick(
    "UT406",
    split="wild",
    note="the padding mask is the wrong way round, so every real token is hidden and only the class token is seen",
    cured=(("hidden = torch.cat([keep, real], 1)", "hidden = torch.cat([keep, ~real], 1)"),),
)
def encoder_with_inverted_padding_mask():
    class Encoder(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.token = nn.Embedding(6, dim, padding_idx=0)
            self.cls = nn.Parameter(torch.randn(1, 1, dim))
            layer = nn.TransformerEncoderLayer(dim, 2, 64, dropout=0.0, batch_first=True)
            self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
            self.head = nn.Linear(dim, 2)

        def forward(self, x):
            real = x != 0
            keep = torch.zeros(len(x), 1, dtype=torch.bool)
            hidden = torch.cat([keep, real], 1)  # <- fault
            t = torch.cat([self.cls.expand(len(x), 1, -1), self.token(x)], 1)
            return self.head(self.body(t, src_key_padding_mask=hidden)[:, 0])

    torch.manual_seed(16)
    x, y = votes()
    model = Encoder()
    opt = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(12):
        for i in torch.randperm(len(x)).split(40):
            loss = F.cross_entropy(model(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y), "loss": loss.item()}


@sick(
    "UT309",
    split="wild",
    note="AdamW with weight_decay=20 for a vision transformer: every step takes six hundredths of each weight",
    cured=(("weight_decay=20", "weight_decay=0.02"),),
)
def vit_with_a_heavy_decay():
    class ViT(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.patch = nn.Conv2d(1, dim, 2, 2)
            self.pos = nn.Parameter(0.02 * torch.randn(1, 16, dim))
            self.blocks = nn.ModuleList(
                nn.TransformerEncoderLayer(dim, 4, 64, 0.0, batch_first=True, norm_first=True) for _ in range(2)
            )
            self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 10)

        def forward(self, x):
            t = self.patch(x).flatten(2).transpose(1, 2) + self.pos
            for block in self.blocks:
                t = block(t)
            return self.head(self.norm(t.mean(1)))

    torch.manual_seed(17)
    x, y = digit_images()
    model = ViT()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=20)  # <- fault
    for _ in range(9):
        for i in torch.randperm(1500).split(64):
            opt.zero_grad()
            F.cross_entropy(model(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(model, x[1500:], y[1500:])}
