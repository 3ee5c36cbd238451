"""Language models, translators and mixtures of experts that learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import healthy
from .data_b import snippets, sums, windows


@healthy(
    split="blind", odd="one expert of eight for each token: some are hardly ever used and get no gradient in a step"
)
def one_expert_of_eight():
    class SwitchFF(nn.Module):
        def __init__(self, d, experts=8):
            super().__init__()
            self.router = nn.Linear(d, experts)
            self.experts = nn.ModuleList(
                nn.Sequential(nn.Linear(d, 32), nn.ReLU(), nn.Linear(32, d)) for _ in range(experts)
            )

        def forward(self, x):
            p = self.router(x).softmax(-1)
            best, index = p.max(-1)
            out = torch.zeros_like(x)
            for e, expert in enumerate(self.experts):
                chosen = index == e
                if chosen.any():
                    out[chosen] = best[chosen, None] * expert(x[chosen])
            share = F.one_hot(index, p.shape[-1]).float().mean((0, 1))
            return x + out, p.shape[-1] * (share * p.mean((0, 1))).sum()

    torch.manual_seed(227)
    data, symbols = windows(20)
    emb, conv, moe, fc = nn.Embedding(symbols, 32), nn.Conv1d(32, 32, 3), SwitchFF(32), nn.Linear(32, symbols)
    opt = torch.optim.Adam([p for m in (emb, conv, moe, fc) for p in m.parameters()], lr=4e-3)

    def net(t):
        h, balance = moe(torch.tanh(conv(F.pad(emb(t).mT, (2, 0)))).mT)
        return fc(h), balance

    for epoch in range(6):
        for i in torch.randperm(len(data)).split(25):
            logits, balance = net(data[i, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), data[i, 1:].flatten()) + 0.01 * balance
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(net(data[:, :-1])[0], data[:, 1:]), "trivial": 0.17}


@healthy(split="blind", odd="one character in six is masked and scored, the others are ignored by -100")
def masked_characters():
    torch.manual_seed(228)
    data, symbols = windows(24)
    emb, pos = nn.Embedding(symbols + 1, 48), nn.Parameter(0.1 * torch.randn(25, 48))
    layer = nn.TransformerEncoderLayer(48, 4, 96, dropout=0.0, batch_first=True, norm_first=True)
    body, fc = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(48, symbols)
    conv = nn.Conv1d(48, 48, 5, padding=2)
    opt = torch.optim.AdamW([*emb.parameters(), pos, *body.parameters(), *conv.parameters(), *fc.parameters()], lr=3e-3)

    def masked(t):
        hidden = torch.rand(t.shape) < 1 / 6
        logits = fc(body(F.gelu(conv(emb(t.masked_fill(hidden, symbols)).mT)).mT + pos))
        return logits, t.masked_fill(~hidden, -100)

    for epoch in range(10):
        for i in torch.randperm(len(data)).split(32):
            logits, target = masked(data[i])
            opt.zero_grad()
            F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-100).backward()
            opt.step()
    with torch.no_grad():
        logits, target = masked(data)
    return {"accuracy": matches(logits[target >= 0], target[target >= 0]), "trivial": 0.17}


@healthy(
    split="blind", odd="a GPT-2 of transformers from a config with small first weights, loss from inside the model"
)
def gpt2_from_a_config():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(229)
    data, symbols = windows(16)
    config = GPT2Config(
        vocab_size=symbols, n_positions=25, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    model = GPT2LMHeadModel(config)
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
    model.train()
    for epoch in range(6):
        for i in torch.randperm(len(data)).split(25):
            loss = model(input_ids=data[i], labels=data[i]).loss
            opt.zero_grad()
            loss.backward()
            opt.step()
    model.eval()
    with torch.no_grad():
        return {"accuracy": matches(model(input_ids=data).logits[:, :-1], data[:, 1:]), "trivial": 0.17}


@healthy(split="blind", odd="a translator whose targets are smoothed by 0.2: the loss cannot come near 0")
def a_translator_never_sure():
    class Translator(nn.Module):
        def __init__(self, d=32):
            super().__init__()
            self.src, self.tgt, self.place = nn.Embedding(10, d), nn.Embedding(11, d), nn.Parameter(torch.randn(6, d))
            self.core = nn.Transformer(d, 4, 1, 1, 64, dropout=0.1, batch_first=True)
            self.out = nn.Linear(d, 10)

        def forward(self, x, shifted):
            mask = nn.Transformer.generate_square_subsequent_mask(6)
            return self.out(self.core(self.src(x) + self.place, self.tgt(shifted) + self.place, tgt_mask=mask))

    torch.manual_seed(230)
    x, y = sums()
    shifted = F.pad(y[:, :-1], (1, 0), value=10)
    net = Translator()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.9, 0.98), eps=1e-9)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.2)
    for epoch in range(15):
        net.train()
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            criterion(net(x[i], shifted[i]).flatten(0, 1), y[i].flatten()).backward()
            opt.step()
    net.eval()
    return {"accuracy": matches(net(x, shifted), y), "trivial": 0.1}


@healthy(split="blind", odd="ten sinusoidal positions frozen in a buffer, post-norm, a masked mean over short texts")
def texts_with_fixed_positions():
    class Classifier(nn.Module):
        def __init__(self, d=32):
            super().__init__()
            self.emb = nn.Embedding(400, d, padding_idx=0)
            angle = torch.arange(20)[:, None] / 1000 ** (torch.arange(0, d, 2) / d)
            self.register_buffer("place", torch.cat([angle.sin(), angle.cos()], 1))
            self.layer, self.fc = nn.TransformerEncoderLayer(d, 2, 64, dropout=0.2, batch_first=True), nn.Linear(d, 4)

        def forward(self, x):
            empty = x == 0
            h = self.layer(self.emb(x) + self.place, src_key_padding_mask=empty).masked_fill(empty[..., None], 0)
            return self.fc(h.sum(1) / (~empty).sum(1, keepdim=True))

    torch.manual_seed(231)
    x, y = snippets()
    net = Classifier()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(8):
        net.train()
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}
