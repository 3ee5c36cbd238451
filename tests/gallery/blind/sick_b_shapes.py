"""Outputs and targets of different shapes, and outputs that do not depend on what comes in."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ..score import accuracy, matches
from ..table import sick
from .data_b import (
    Catch,
    cue,
    forecast,
    patches,
    stars,
)


@sick(
    "UT404",
    split="blind",
    note="a forecast of shape (N, 1) against targets of shape (N,)",
    cured=(("return self.linear(out[:, -1, :])", "return self.linear(out[:, -1, :]).squeeze(-1)"),),
)
def tomorrow_by_an_lstm():
    class Windows(Dataset):
        def __init__(self):
            self.x, self.y = forecast()

        def __len__(self):
            return len(self.x)

        def __getitem__(self, k):
            return self.x[k], self.y[k]

    class LSTMForecaster(nn.Module):
        def __init__(self, hidden_size=32):
            super().__init__()
            self.lstm = nn.LSTM(3, hidden_size, batch_first=True)
            self.linear = nn.Linear(hidden_size, 1)

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.linear(out[:, -1, :])

    torch.manual_seed(81)
    ds = Windows()
    model, criterion = LSTMForecaster(), nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(15):
        for xb, yb in DataLoader(ds, batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(ds.x).flatten(), ds.y).item()}


@sick(
    "UT404",
    split="blind",
    note="in Q-learning, taken values of shape (N, 1) against targets of shape (N,)",
    cured=(("q(s).gather(1, a[:, None])", "q(s).gather(1, a[:, None])[:, 0]"),),
)
def q_learning_from_a_memory():
    torch.manual_seed(82)
    env = Catch(seed=82)
    q = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 3))
    target = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 3))
    opt = torch.optim.Adam(q.parameters(), lr=2e-3)
    memory = []
    for episode in range(60):
        s, over = env.reset(), False
        while not over:
            with torch.no_grad():
                greedy = q(s).argmax(1)
            a = torch.where(torch.rand(64) < max(0.1, 1 - episode / 25), torch.randint(3, (64,)), greedy)
            after, r, over = env.step(a)
            memory.append((s, a, r, after, torch.full((64,), float(over))))
            s = after
        memory = memory[-100:]
        table = [torch.cat(column) for column in zip(*memory)]
        if episode % 3 == 0:
            target.load_state_dict(q.state_dict())
        for _ in range(8):
            i = torch.randint(len(table[0]), (128,))
            s, a, r, after, done = (column[i] for column in table)
            with torch.no_grad():
                aim = r + 0.97 * (1 - done) * target(after).amax(1)
            loss = F.smooth_l1_loss(q(s).gather(1, a[:, None]), aim)
            opt.zero_grad()
            loss.backward()
            opt.step()
    won = 0.0
    for _ in range(10):
        s, over = env.reset(), False
        while not over:
            s, r, over = env.step(q(s).argmax(1))
        won += (r > 0).float().mean().item() / 10
    return {"accuracy": won}


@sick(
    "UT404",
    split="blind",
    note="ratings of shape (N, 1) from a data frame, predictions of shape (N,)",
    cured=(("rating.unsqueeze(1)", "rating"),),
)
def stars_in_a_column():
    torch.manual_seed(83)
    who, what, rating = stars()
    target = rating.unsqueeze(1)
    user, film, bias = nn.Embedding(80, 6), nn.Embedding(60, 6), nn.Parameter(torch.tensor(3.0))
    params = [*user.parameters(), *film.parameters(), bias]
    for p in params[:2]:
        nn.init.normal_(p, std=0.3)
    opt = torch.optim.Adam(params, lr=0.02)
    for epoch in range(12):
        for i in torch.randperm(5000).split(128):
            opt.zero_grad()
            guess = (user(who[i]) * film(what[i])).sum(1) + bias
            loss = ((guess - target[i]) ** 2).mean()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss((user(who) * film(what)).sum(1) + bias, rating).item()}


@sick(
    "UT406",
    split="blind",
    note="a class token is read out, but every block lets each token see itself alone",
    cured=(("attn_mask=torch.eye(17, dtype=torch.bool)", "attn_mask=None"),),
)
def a_class_token_alone():
    class Block(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.qkv, self.proj, self.ln = nn.Linear(d, 3 * d), nn.Linear(d, d), nn.LayerNorm(d)
            self.ff = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

        def forward(self, x):
            q, k, v = self.qkv(self.ln(x)).chunk(3, -1)
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=torch.eye(17, dtype=torch.bool))
            x = x + self.proj(a)
            return x + self.ff(x)

    torch.manual_seed(87)
    x, y = patches()
    lift, cls = nn.Linear(4, 32), nn.Parameter(torch.randn(32))
    pos, blocks = nn.Parameter(0.3 * torch.randn(17, 32)), nn.Sequential(Block(32), Block(32))
    head = nn.Linear(32, 10)
    opt = torch.optim.AdamW([*lift.parameters(), cls, pos, *blocks.parameters(), *head.parameters()], lr=2e-3)

    def net(u):
        tokens = torch.cat([cls.expand(len(u), 1, 32), lift(u)], 1) + pos
        return head(blocks(tokens)[:, 0])

    for epoch in range(4):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y)}


@sick(
    "UT406",
    split="blind",
    note="the decoder of a pair of networks is started from a fresh state, not from the encoder's",
    cured=(("self.cell(e, torch.zeros(len(x), 32))", "self.cell(e, h[0])"),),
)
def which_cue_was_shown():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.reader, self.start = nn.GRU(6, 32, batch_first=True), nn.Parameter(torch.randn(8))
            self.cell, self.answer = nn.GRUCell(8, 32), nn.Linear(32, 4)

        def forward(self, x):
            _, h = self.reader(x)
            e = self.start.expand(len(x), 8)
            return self.answer(self.cell(e, torch.zeros(len(x), 32)))

    torch.manual_seed(88)
    x, y = cue(length=6)
    net = Reader()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT404",
    split="blind",
    note="a critic's values of shape (N, 1) against returns of shape (N,)",
    cured=(("values = critic(states)", "values = critic(states).squeeze(1)"),),
)
def values_of_states_seen():
    torch.manual_seed(142)
    env = Catch(games=64, seed=142)
    critic = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(critic.parameters(), lr=3e-3)

    def play():
        s, over, states = env.reset(), False, []
        while not over:
            states.append(s)
            s, r, over = env.step(torch.ones(64, dtype=torch.long))
        return torch.cat(states), r.repeat(5)

    for update in range(250):
        states, returns = play()
        values = critic(states)
        loss = (values - returns).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    states, returns = (torch.cat(c) for c in zip(*[play() for _ in range(20)]))
    return {"error": F.mse_loss(critic(states)[:, 0], returns).item()}
