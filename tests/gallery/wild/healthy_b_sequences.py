"""Recurrent nets and transformers that learn."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR
from torch.utils.data import DataLoader, TensorDataset

from ..data import adding, characters, digit_images, first_symbol, waves
from ..score import accuracy, matches
from ..table import healthy
from .data_b import strings, votes


@healthy(split="wild", odd="the forget gates start almost saturated, at a bias of 3, so that the first symbol lasts")
def recall_with_open_forget_gates():
    torch.manual_seed(111)
    x, y = first_symbol(256, 30)

    class Recall(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.out = nn.LSTM(4, 32, batch_first=True), nn.Linear(32, 4)
            with torch.no_grad():
                self.lstm.bias_ih_l0[32:64] = 3.0

        def forward(self, x):
            return self.out(self.lstm(x)[0][:, -1])

    net = Recall()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(25):
        for i in torch.randperm(256).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="wild", odd="the state is detached between pieces of the text, and the pieces come in their order")
def stateful_text_in_pieces():
    torch.manual_seed(112)
    ids, vocab = characters("zen")
    rows = ids[: len(ids) // 16 * 16].view(16, -1)
    embed, gru, out = nn.Embedding(vocab, 32), nn.GRU(32, 64, batch_first=True), nn.Linear(64, vocab)
    params = [p for m in (embed, gru, out) for p in m.parameters()]
    opt = torch.optim.Adam(params, lr=1e-2)
    right = []
    for epoch in range(70):
        state = None
        for start in range(0, rows.shape[1] - 11, 10):
            x, y = rows[:, start : start + 10], rows[:, start + 1 : start + 11]
            h, state = gru(embed(x), state)
            state = state.detach()
            scores = out(h)
            loss = F.cross_entropy(scores.transpose(1, 2), y)
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(params, 1.0)
            opt.step()
            if epoch == 69:
                right.append(matches(scores, y))
    return {"accuracy": sum(right) / len(right)}


@healthy(split="wild", odd="the first step has a rate of zero; target and source share one table of vectors")
def reversing_with_an_encoder_decoder():
    class Translator(nn.Module):
        def __init__(self, vocab=9, dim=32):
            super().__init__()
            self.token, self.place = nn.Embedding(vocab, dim), nn.Embedding(6, dim)
            self.core = nn.Transformer(dim, 2, 1, 1, 64, dropout=0.0, batch_first=True)
            self.out = nn.Linear(dim, vocab)
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(6))

        def embed(self, ids):
            return self.token(ids) + self.place(torch.arange(ids.shape[1]))

        def forward(self, source, shifted):
            return self.out(self.core(self.embed(source), self.embed(shifted), tgt_mask=self.mask))

    torch.manual_seed(113)
    source = strings()
    target = source.flip(1)
    shifted = F.pad(target[:, :-1], (1, 0))
    net = Translator()
    opt = torch.optim.AdamW(net.parameters(), lr=4e-3, betas=(0.9, 0.98))
    sched = LambdaLR(opt, lambda k: min(k / 30, max(0.05, 1 - (k - 30) / 170)))
    for _ in range(9):
        for i in torch.randperm(1300).split(64):
            loss = F.cross_entropy(net(source[i], shifted[i]).flatten(0, 1), target[i].flatten())
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
    net.eval()
    with torch.no_grad():
        return {"accuracy": matches(net(source[1300:], shifted[1300:]), target[1300:])}


@healthy(split="wild", odd="the head of the vision transformer starts at zero, and so do its first outputs")
def vit_with_an_empty_head():
    class ViT(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.patch = nn.Conv2d(1, dim, 2, 2)
            self.place = nn.Parameter(0.02 * torch.randn(1, 16, dim))
            layer = nn.TransformerEncoderLayer(dim, 4, 64, 0.0, "gelu", batch_first=True, norm_first=True)
            self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim * 16, 10)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

        def forward(self, x):
            t = self.patch(x).flatten(2).transpose(1, 2) + self.place
            return self.head(self.norm(self.body(t)).flatten(1))

    torch.manual_seed(114)
    x, y = digit_images()
    train = TensorDataset((x[:1500] - 0.3) / 0.38, y[:1500])
    net = ViT()
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
    sched = OneCycleLR(opt, 3e-3, total_steps=192)
    for _ in range(8):
        for a, b in DataLoader(train, batch_size=64, shuffle=True):
            opt.zero_grad(set_to_none=True)
            F.cross_entropy(net(a), b, label_smoothing=0.05).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
            sched.step()
    return {"accuracy": accuracy(net, (x[1500:] - 0.3) / 0.38, y[1500:])}


@healthy(split="wild", odd="the recurrent weights are drawn once and never trained: a reservoir that is only read")
def echo_states_and_a_readout():
    torch.manual_seed(115)
    x, y = waves(256, 30)
    inward = torch.randn(1, 120) * 0.5
    loop = torch.randn(120, 120)
    loop = 0.9 * loop / torch.linalg.eigvals(loop).abs().max()

    class Reservoir(nn.Module):
        def __init__(self):
            super().__init__()
            self.inward, self.loop = (nn.Parameter(w, requires_grad=False) for w in (inward, loop))
            self.read = nn.Linear(120, 1)

        def forward(self, x):
            h = x.new_zeros(len(x), 120)
            for t in range(x.shape[1]):
                h = torch.tanh(x[:, t] @ self.inward + h @ self.loop)
            return self.read(h)

    net = Reservoir()
    opt = torch.optim.LBFGS(net.read.parameters(), max_iter=4, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = F.mse_loss(net(x[:200]), y[:200])
        loss.backward()
        return loss

    for _ in range(30):
        opt.step(closure)
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[200:]), y[200:]).item()}


@healthy(split="wild", odd="connectionist loss: it starts far above any chance level, and most frames are blank")
def spoken_symbols_with_ctc():
    torch.manual_seed(116)
    symbols = strings(500, 4, 5)
    codebook = torch.randn(6, 8)
    frames = codebook[F.pad(symbols[:, :, None], (1, 2)).flatten(1)] + 0.3 * torch.randn(500, 16, 8)

    class Listener(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.out = nn.GRU(8, 24, bidirectional=True, batch_first=True), nn.Linear(48, 6)

        def forward(self, x):
            return self.out(self.gru(x)[0]).log_softmax(-1)

    net, ctc = Listener(), nn.CTCLoss()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(20):
        for i in torch.randperm(400).split(40):
            k = torch.full((len(i),), 16), torch.full((len(i),), 4)
            loss = ctc(net(frames[i]).transpose(0, 1), symbols[i], *k)
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            opt.step()
    with torch.no_grad():
        best = net(frames[400:]).argmax(-1).tolist()
    heard = [[a for a, b in zip(r, [None, *r], strict=False) if a != b and a] for r in best]
    return {"accuracy": sum(h == s for h, s in zip(heard, symbols[400:].tolist(), strict=True)) / 100}


@healthy(split="wild", odd="bfloat16 under autocast, and gradients of four small batches added up before a step")
def majority_vote_in_small_pieces():
    class Voter(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.token = nn.Embedding(6, dim, padding_idx=0)
            self.block = nn.TransformerEncoderLayer(dim, 4, 64, 0.0, batch_first=True)
            self.head = nn.Linear(dim, 2)

        def forward(self, x):
            return self.head(self.block(self.token(x)).mean(1))

    torch.manual_seed(117)
    x, y = votes()
    net = Voter()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(8):
        for k, i in enumerate(torch.randperm(640).split(16)):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(net(x[i]), y[i])
            (loss / 4).backward()
            if k % 4 == 3:
                opt.step()
                opt.zero_grad()
    return {"accuracy": accuracy(net, x[640:], y[640:])}


@healthy(split="wild", odd="input and output share one matrix of small vectors; nearly every gradient is clipped")
def tied_decoder_over_a_docstring():
    class Decoder(nn.Module):
        def __init__(self, vocab, dim=48, length=24):
            super().__init__()
            self.token, self.place = nn.Embedding(vocab, dim), nn.Parameter(torch.zeros(length, dim))
            nn.init.normal_(self.token.weight, std=dim**-0.5)
            self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
            self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 96), nn.GELU(), nn.Linear(96, dim))
            self.first, self.last = nn.LayerNorm(dim), nn.LayerNorm(dim)

        def forward(self, ids):
            t = self.token(ids) + self.place[: ids.shape[1]]
            q, k, v = self.qkv(self.first(t)).chunk(3, -1)
            t = t + self.proj(F.scaled_dot_product_attention(q, k, v, is_causal=True))
            t = t + self.mlp(t)
            return self.last(t) @ self.token.weight.T

    torch.manual_seed(118)
    ids, vocab = characters("statistics")
    pieces = ids.unfold(0, 25, 6)
    net = Decoder(vocab)
    opt = torch.optim.AdamW(net.parameters(), lr=1.2e-2)
    total = 15 * math.ceil(len(pieces) / 32)
    sched = LambdaLR(opt, lambda k: min((k + 1) / 20, 0.5 + 0.5 * math.cos(math.pi * k / total)))
    for _ in range(15):
        for i in torch.randperm(len(pieces)).split(32):
            loss = F.cross_entropy(net(pieces[i, :-1]).transpose(1, 2), pieces[i, 1:])
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            opt.step()
            sched.step()
    return {"accuracy": matches(net(pieces[:, :-1]), pieces[:, 1:])}


@healthy(split="wild", odd="a ReLU recurrence at the identity, whose gradient is long kept and now and then large")
def identity_rnn_that_adds():
    torch.manual_seed(119)
    x, y = adding(512, 8)
    net = nn.ModuleDict({"rnn": nn.RNN(2, 48, nonlinearity="relu", batch_first=True), "out": nn.Linear(48, 1)})
    with torch.no_grad():
        net["rnn"].weight_hh_l0.copy_(torch.eye(48))
    opt = torch.optim.RMSprop(net.parameters(), lr=3e-3)
    for _ in range(45):
        for i in torch.randperm(450).split(32):
            opt.zero_grad()
            F.mse_loss(net["out"](net["rnn"](x[i])[1][0]), y[i]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net["out"](net["rnn"](x[450:])[1][0]), y[450:]).item()}
