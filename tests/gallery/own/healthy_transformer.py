"""Small transformers that learn."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from ..data import characters, digits, waves
from ..score import accuracy, matches
from ..table import healthy


@healthy(split="build", odd="causal mask of -inf; softmax inside the attention, not before the loss")
def char_transformer():
    class CharTransformer(nn.Module):
        def __init__(self, vocab, dim=32, context=16):
            super().__init__()
            self.tokens = nn.Embedding(vocab, dim)
            self.places = nn.Embedding(context, dim)
            layer = nn.TransformerEncoderLayer(dim, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(dim, vocab)
            self.mask = nn.Transformer.generate_square_subsequent_mask(context)

        def forward(self, x):
            h = self.tokens(x) + self.places(torch.arange(x.size(1)))
            return self.head(self.encoder(h, mask=self.mask, is_causal=True))

    torch.manual_seed(0)
    ids, vocab = characters()
    pieces = ids.unfold(0, 17, 1)
    model = CharTransformer(vocab)
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        piece = pieces[torch.randint(len(pieces), (32,))]
        loss = F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="judge", odd="attention written by hand, warm-up then cosine decay")
def nano_gpt():
    class Block(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.heads = heads
            self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.qkv = nn.Linear(dim, 3 * dim, bias=False)
            self.proj = nn.Linear(dim, dim)
            self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

        def attend(self, x):
            b, t, d = x.shape
            q, k, v = (z.view(b, t, self.heads, -1).transpose(1, 2) for z in self.qkv(x).chunk(3, -1))
            scores = q @ k.transpose(-2, -1) / math.sqrt(d / self.heads)
            scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), float("-inf"))
            return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d))

        def forward(self, x):
            x = x + self.attend(self.ln1(x))
            return x + self.mlp(self.ln2(x))

    class GPT(nn.Module):
        def __init__(self, vocab, dim=32, context=12):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocab, dim), nn.Embedding(context, dim)
            self.blocks = nn.ModuleList([Block(dim, 2) for _ in range(3)])
            self.ln = nn.LayerNorm(dim)
            self.head = nn.Linear(dim, vocab, bias=False)
            self.apply(self.init)

        def init(self, module):
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)

        def forward(self, x):
            h = self.wte(x) + self.wpe.weight[: x.size(1)]
            for block in self.blocks:
                h = block(h)
            return self.head(self.ln(h))

    torch.manual_seed(1)
    ids, vocab = characters("heapq")
    pieces = ids.unfold(0, 13, 1)
    model = GPT(vocab)
    opt = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1)
    steps = 150
    warm = torch.optim.lr_scheduler.LinearLR(opt, 0.01, 1.0, 20)
    cool = torch.optim.lr_scheduler.CosineAnnealingLR(opt, steps - 20)
    schedule = torch.optim.lr_scheduler.SequentialLR(opt, [warm, cool], [20])
    for _ in range(steps):
        piece = pieces[torch.randint(len(pieces), (32,))]
        loss = F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        schedule.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="a vision transformer with a class token")
def tiny_vit():
    class ViT(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.patch = nn.Linear(8, dim)
            self.cls = nn.Parameter(torch.zeros(1, 1, dim))
            self.pos = nn.Parameter(torch.randn(1, 9, dim) * 0.02)
            layer = nn.TransformerEncoderLayer(dim, 2, 64, dropout=0.1, activation="gelu", batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2)
            self.head = nn.Linear(dim, 10)

        def forward(self, x):
            h = self.patch(x.view(-1, 8, 8))
            h = torch.cat([self.cls.expand(len(h), -1, -1), h], 1) + self.pos
            return self.head(self.encoder(h)[:, 0])

    torch.manual_seed(2)
    x, y = digits()
    model = ViT()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="gradient checkpointing: the forward runs twice")
def checkpointed_blocks():
    class Block(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.norm = nn.LayerNorm(dim)
            self.attention = nn.MultiheadAttention(dim, 2, batch_first=True)
            self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

        def forward(self, x):
            h = self.norm(x)
            x = x + self.attention(h, h, h, need_weights=False)[0]
            return x + self.mlp(x)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(8, 24)
            self.blocks = nn.ModuleList([Block(24) for _ in range(3)])
            self.head = nn.Linear(8 * 24, 10)

        def forward(self, x):
            x = self.embed(x)
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=False)
            return self.head(x.flatten(1))

    torch.manual_seed(3)
    x, y = digits()
    x = x.view(-1, 8, 8)
    model = Model()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(100):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="masked modelling: the loss looks at a few positions only, ignore_index")
def masked_language_model():
    class Model(nn.Module):
        def __init__(self, vocab, dim=32):
            super().__init__()
            self.embed = nn.Embedding(vocab + 1, dim)
            self.pos = nn.Parameter(0.1 * torch.randn(12, dim))
            self.layer = nn.TransformerEncoderLayer(dim, 2, 64, dropout=0.0, batch_first=True)
            self.head = nn.Linear(dim, vocab)

        def forward(self, x):
            return self.head(self.layer(self.embed(x) + self.pos))

    torch.manual_seed(4)
    ids, vocab = characters()
    pieces = ids.unfold(0, 12, 1)
    model = Model(vocab)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(400):
        piece = pieces[torch.randint(len(pieces), (64,))]
        hidden = torch.rand(piece.shape) < 0.15
        target = piece.masked_fill(~hidden, -100)
        loss = F.cross_entropy(
            model(piece.masked_fill(hidden, vocab)).flatten(0, 1), target.flatten(), ignore_index=-100
        )
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="judge", odd="a mixture of experts with a softmax gate and top-2 routing")
def mixture_of_experts():
    class MoE(nn.Module):
        def __init__(self, dim, experts, classes):
            super().__init__()
            self.gate = nn.Linear(dim, experts)
            self.experts = nn.ModuleList(
                [nn.Sequential(nn.Linear(dim, 24), nn.ReLU(), nn.Linear(24, classes)) for _ in range(experts)]
            )

        def forward(self, x):
            weight, chosen = self.gate(x).softmax(-1).topk(2)
            outputs = torch.stack([expert(x) for expert in self.experts], 1)
            picked = outputs.gather(1, chosen[..., None].expand(-1, -1, outputs.size(-1)))
            return (weight[..., None] * picked).sum(1)

    torch.manual_seed(5)
    x, y = digits()
    model = MoE(64, 6, 10)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="regression with cross-attention from learned queries")
def query_attention():
    class Perceiver(nn.Module):
        def __init__(self, dim=24):
            super().__init__()
            self.embed = nn.Linear(1, dim)
            self.pos = nn.Parameter(torch.randn(20, dim) * 0.3)
            self.query = nn.Parameter(torch.randn(1, 4, dim) * 0.3)
            self.attention = nn.MultiheadAttention(dim, 2, batch_first=True)
            self.out = nn.Sequential(nn.Flatten(), nn.Linear(4 * dim, 32), nn.ReLU(), nn.Linear(32, 1))

        def forward(self, x):
            memory = self.embed(x) + self.pos
            found, _ = self.attention(self.query.expand(len(x), -1, -1), memory, memory)
            return self.out(found)

    torch.manual_seed(6)
    x, y = waves(256, 20)
    model = Perceiver()
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(250):
        i = torch.randint(256, (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="judge", odd="copying: most target positions are trivial")
def copies_a_prefix():
    class Copier(nn.Module):
        def __init__(self, symbols=8, dim=32, length=10):
            super().__init__()
            self.embed = nn.Embedding(symbols, dim)
            self.pos = nn.Embedding(length, dim)
            layer = nn.TransformerEncoderLayer(dim, 2, 64, dropout=0.0, batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
            self.out = nn.Linear(dim, symbols)

        def forward(self, x):
            return self.out(self.encoder(self.embed(x) + self.pos.weight))

    torch.manual_seed(7)
    model = Copier()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        prefix = torch.randint(1, 8, (64, 5))
        x = torch.cat([prefix, torch.zeros(64, 5, dtype=torch.long)], 1)
        target = torch.cat([torch.zeros(64, 5, dtype=torch.long), prefix], 1)
        scores = model(x)
        loss = F.cross_entropy(scores.flatten(0, 1), target.flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, target)}
