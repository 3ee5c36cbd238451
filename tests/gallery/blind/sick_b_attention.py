"""Attention that is settled, and trunks frozen as they were made."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import sick
from .data_b import motifs, patches, snippets, tones


@sick(
    "UT105",
    split="blind",
    note="attention scores multiplied by the root of the width in place of divided, from weights of deviation 1",
    cured=(("* self.d**0.5", "/ self.d**0.5"), ("std=1.0", "std=0.15")),
)
def heads_by_einsum_over_patches():
    class Mixer(nn.Module):
        def __init__(self, d=32):
            super().__init__()
            self.d = d
            self.up, self.pos = nn.Linear(4, d), nn.Parameter(torch.randn(16, d))
            self.wq, self.wk, self.wv = (nn.Parameter(torch.empty(d, d)) for _ in range(3))
            for w in (self.wq, self.wk, self.wv):
                nn.init.normal_(w, std=1.0)
            self.mlp, self.fc = nn.Sequential(nn.Linear(d, d), nn.ReLU()), nn.Linear(d, 10)

        def forward(self, x):
            h = self.up(x) + self.pos
            q, k, v = (torch.einsum("ntd,de->nte", h, w) for w in (self.wq, self.wk, self.wv))
            a = torch.einsum("nqe,nke->nqk", q, k) * self.d**0.5
            h = torch.einsum("nqk,nke->nqe", a.softmax(-1), v)
            return self.fc(self.mlp(h).mean(1))

    torch.manual_seed(21)
    x, y = patches()
    net = Mixer()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT105",
    split="blind",
    note="a learned pooling query initialised with deviation 50",
    cured=(("50 * torch.randn(24)", "0.1 * torch.randn(24)"),),
)
def one_query_pools_the_sequence():
    class AttentivePooling(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(12, 24, 3)
            self.emb = nn.Embedding(12, 12)
            self.query = nn.Parameter(50 * torch.randn(24))
            self.out = nn.Linear(24, 4)

        def forward(self, tokens):
            h = torch.tanh(self.conv(self.emb(tokens).transpose(1, 2))).transpose(1, 2)
            weights = torch.softmax(h @ self.query / 24**0.5, dim=1)
            return self.out((weights.unsqueeze(-1) * h).sum(1))

    torch.manual_seed(22)
    x, y = motifs()
    net = AttentivePooling()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT107",
    split="blind",
    note="no key of the checkpoint fits the frozen trunk, and strict=False says nothing of it",
    cured=(("checkpoint = pretraining.state_dict()", "checkpoint = source.state_dict()"),),
)
def trunk_from_a_checkpoint():
    def make_trunk():
        return nn.Sequential(
            nn.Conv1d(1, 6, 5, stride=2),
            nn.ReLU(),
            nn.Conv1d(6, 4, 5, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
        )

    def fit(modules, params, x, y, epochs):
        opt = torch.optim.Adam(params, lr=5e-3)
        for _ in range(epochs):
            for i in torch.randperm(len(x)).split(25):
                opt.zero_grad()
                F.cross_entropy(modules(x[i]), y[i]).backward()
                opt.step()

    torch.manual_seed(23)
    x, y = tones()
    source = make_trunk()
    pretraining = nn.Sequential(source, nn.Linear(4, 4))
    fit(pretraining, pretraining.parameters(), x[:500], y[:500], 15)
    checkpoint = pretraining.state_dict()

    trunk = make_trunk()
    trunk.load_state_dict(checkpoint, strict=False)
    for p in trunk.parameters():
        p.requires_grad = False
    head = nn.Linear(4, 4)
    model = nn.Sequential(trunk, head)
    fit(model, head.parameters(), x[500:], y[500:], 25)
    return {"accuracy": accuracy(model, x[500:], y[500:])}


@sick(
    "UT107",
    split="blind",
    note="a BERT made from a config, not from a checkpoint, is frozen as a feature extractor",
    cured=(("p.requires_grad_(False)", "p.requires_grad_(True)"),),
)
def bert_as_a_feature_extractor():
    from transformers import BertConfig, BertModel

    torch.manual_seed(24)
    x, y = snippets()
    config = BertConfig(
        vocab_size=400,
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=20,
        pad_token_id=0,
        hidden_dropout_prob=0.0,
    )
    bert = BertModel(config)
    for p in bert.parameters():
        p.requires_grad_(False)
    classifier = nn.Linear(24, 4)
    opt = torch.optim.AdamW([*bert.parameters(), *classifier.parameters()], lr=3e-3)

    def logits(ids):
        return classifier(bert(input_ids=ids, attention_mask=(ids > 0).long()).pooler_output)

    for epoch in range(6):
        for i in torch.randperm(len(x)).split(32):
            loss = F.cross_entropy(logits(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"accuracy": matches(logits(x), y)}
