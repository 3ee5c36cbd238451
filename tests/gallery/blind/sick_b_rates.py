"""Steps that are too large, too small, or shaped by a wrong schedule."""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..score import accuracy, matches
from ..table import sick
from .data_b import Catch, patches, snippets, sums, tagged, windows


@sick(
    "UT301",
    split="blind",
    note="a small GPT trained by AdamW at 0.3",
    cured=(("learning_rate: float = 0.3", "learning_rate: float = 3e-3"),),
)
def a_small_gpt_of_docstrings():
    @dataclass
    class Config:
        block: int = 32
        width: int = 32
        heads: int = 2
        layers: int = 2
        batch: int = 25
        epochs: int = 4
        learning_rate: float = 0.3
        weight_decay: float = 0.01

    class GPT(nn.Module):
        def __init__(self, cfg, symbols):
            super().__init__()
            self.tok, self.pos = nn.Embedding(symbols, cfg.width), nn.Embedding(cfg.block, cfg.width)
            layer = nn.TransformerEncoderLayer(
                cfg.width, cfg.heads, 4 * cfg.width, dropout=0.0, batch_first=True, norm_first=True
            )
            self.body = nn.TransformerEncoder(layer, cfg.layers, enable_nested_tensor=False)
            self.norm, self.head = nn.LayerNorm(cfg.width), nn.Linear(cfg.width, symbols)
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(cfg.block))

        def forward(self, t):
            h = self.tok(t) + self.pos.weight
            return self.head(self.norm(self.body(h, mask=self.mask, is_causal=True)))

    torch.manual_seed(31)
    cfg = Config()
    data, symbols = windows(cfg.block)
    model = GPT(cfg, symbols)
    optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.learning_rate, weight_decay=cfg.weight_decay)
    for epoch in range(cfg.epochs):
        for i in torch.randperm(len(data)).split(cfg.batch):
            logits = model(data[i, :-1])
            loss = F.cross_entropy(logits.reshape(-1, symbols), data[i, 1:].reshape(-1))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return {"accuracy": matches(model(data[:, :-1]), data[:, 1:])}


@sick(
    "UT301",
    split="blind",
    note="SGD with Nesterov momentum at 3.0 for a GRU that tags",
    cured=(("lr=3.0", "lr=0.3"),),
)
def tags_by_a_gru_with_nesterov():
    torch.manual_seed(32)
    x, y, _ = tagged()
    net = nn.ModuleDict({"emb": nn.Embedding(21, 16), "gru": nn.GRU(16, 32, batch_first=True), "fc": nn.Linear(32, 4)})
    opt = torch.optim.SGD(net.parameters(), lr=3.0, momentum=0.9, nesterov=True)
    for epoch in range(20):
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            out = net["fc"](net["gru"](net["emb"](x[i]))[0])
            loss = F.cross_entropy(out.transpose(1, 2), y[i], ignore_index=-100)
            loss.backward()
            opt.step()
    with torch.no_grad():
        out = net["fc"](net["gru"](net["emb"](x))[0])
    return {"accuracy": matches(out[y >= 0], y[y >= 0])}


@sick(
    "UT301",
    split="blind",
    note="actor and critic under one Adam at 0.3",
    cured=(("lr=0.3", "lr=0.01"),),
)
def actor_and_critic_at_catch():
    class ActorCritic(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(16, 64), nn.Tanh())
            self.actor, self.critic = nn.Linear(64, 3), nn.Linear(64, 1)

        def forward(self, s):
            h = self.body(s)
            return torch.distributions.Categorical(logits=self.actor(h)), self.critic(h).squeeze(-1)

    torch.manual_seed(33)
    env, agent = Catch(seed=33), ActorCritic()
    opt = torch.optim.Adam(agent.parameters(), lr=0.3)
    scores = []
    for update in range(150):
        s, over, logps, values = env.reset(), False, [], []
        while not over:
            pi, v = agent(s)
            a = pi.sample()
            s, r, over = env.step(a)
            logps.append(pi.log_prob(a))
            values.append(v)
        logps, values = torch.stack(logps), torch.stack(values)
        advantage = r - values.detach()
        loss = -(logps * advantage).mean() + 0.5 * F.mse_loss(values, r.expand_as(values))
        opt.zero_grad()
        loss.backward()
        opt.step()
        scores.append((r > 0).float().mean().item())
    return {"accuracy": sum(scores[-20:]) / 20}


@sick(
    "UT301",
    split="blind",
    note="eight post-norm layers begin at the full rate, without a warm-up",
    cured=(
        ("6e-3)\n", "6e-3)\n    warmup = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1, (s + 1) / 120))\n"),
        ("opt.step()\n", "opt.step()\n            warmup.step()\n"),
    ),
)
def eight_post_norm_layers():
    torch.manual_seed(34)
    x, y = patches()
    x, y = x[:900], y[:900]
    lift, pos = nn.Linear(4, 32), nn.Parameter(0.5 * torch.randn(16, 32))
    layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 8, enable_nested_tensor=False)
    head = nn.Linear(32, 10)
    params = [*lift.parameters(), pos, *encoder.parameters(), *head.parameters()]
    opt = torch.optim.Adam(params, lr=6e-3)
    net = lambda u: head(encoder(lift(u) + pos).mean(1))  # noqa: E731
    for epoch in range(8):
        for i in torch.randperm(900).split(45):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y)}


@sick(
    "UT302",
    split="blind",
    note="fine-tuning's rate of 1e-6 copied into a translator that starts from nothing",
    cured=(("lr=1e-6", "lr=3e-3"),),
)
def a_translator_from_nothing():
    class Translator(nn.Module):
        def __init__(self, d=32):
            super().__init__()
            self.src, self.tgt = nn.Embedding(10, d), nn.Embedding(11, d)
            self.place = nn.Parameter(torch.randn(6, d) * 0.5)
            self.core = nn.Transformer(d, 2, 1, 1, 64, dropout=0.0, batch_first=True)
            self.out = nn.Linear(d, 10)

        def forward(self, x, shifted):
            mask = nn.Transformer.generate_square_subsequent_mask(6)
            h = self.core(self.src(x) + self.place, self.tgt(shifted) + self.place, tgt_mask=mask)
            return self.out(h)

    torch.manual_seed(35)
    x, y = sums()
    shifted = torch.cat([torch.full((800, 1), 10), y[:, :-1]], 1)
    loader = DataLoader(TensorDataset(x, shifted, y), batch_size=40, shuffle=True)
    model = Translator()
    opt = torch.optim.AdamW(model.parameters(), lr=1e-6)
    for epoch in range(15):
        for src, dec, gold in loader:
            opt.zero_grad()
            loss = F.cross_entropy(model(src, dec).permute(0, 2, 1), gold)
            loss.backward()
            opt.step()
    return {"accuracy": matches(model(x, shifted), y)}


@sick(
    "UT302",
    split="blind",
    note="plain SGD at 0.001 for embeddings and an LSTM",
    cured=(("torch.optim.SGD(self.parameters(), lr=0.001)", "torch.optim.Adam(self.parameters(), lr=0.005)"),),
)
def which_module_by_an_lstm():
    class LitClassifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(400, 24, padding_idx=0)
            self.lstm = nn.LSTM(24, 24, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(48, 4)

        def forward(self, x):
            return self.fc(self.lstm(self.embedding(x))[0].amax(1))

        def training_step(self, batch):
            x, y = batch
            return F.cross_entropy(self(x), y)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.001)

    torch.manual_seed(36)
    x, y = snippets()
    module = LitClassifier()
    optimizer = module.configure_optimizers()
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    for epoch in range(6):
        for batch in loader:
            optimizer.zero_grad()
            loss = module.training_step(batch)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(module, x, y)}
