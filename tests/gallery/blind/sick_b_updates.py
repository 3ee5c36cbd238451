"""Gradients left over, thrown away or never followed, parameters not held, and settings of optimizers."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..score import accuracy, matches
from ..table import sick
from .data_b import (
    Catch,
    motifs,
    patches,
    snippets,
    stars,
    tagged,
    tones,
    windows,
)


@sick(
    "UT303",
    split="blind",
    note="the call of zero_grad was lost when the loop moved into a function",
    cured=(("    losses.append", "    opt.zero_grad()\n            losses.append"),),
)
def characters_by_a_loop_in_a_function():
    torch.manual_seed(41)
    data, symbols = windows(30)
    emb, rnn, out = nn.Embedding(symbols, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, symbols)
    params = [p for m in (emb, rnn, out) for p in m.parameters()]
    opt = torch.optim.SGD(params, lr=0.5, momentum=0.9)

    def run(batch):
        logits = out(rnn(emb(batch[:, :-1]))[0])
        return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten()), logits

    def train_epoch():
        losses = []
        for i in torch.randperm(len(data)).split(20):
            losses.append(run(data[i])[0])
            losses[-1].backward()
            opt.step()
        return sum(loss.item() for loss in losses) / len(losses)

    for epoch in range(6):
        train_epoch()
    return {"accuracy": matches(run(data)[1], data[:, 1:])}


@sick(
    "UT303",
    split="blind",
    note="REINFORCE clears the critic's gradients before each update, and the policy's never",
    cured=(("critic_opt.zero_grad()", "critic_opt.zero_grad(), actor_opt.zero_grad()"),),
)
def policy_with_a_learned_baseline():
    torch.manual_seed(42)
    env = Catch(games=32, seed=42)
    policy = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 3))
    value = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1))
    actor_opt = torch.optim.SGD(policy.parameters(), lr=0.3)
    critic_opt = torch.optim.Adam(value.parameters(), lr=0.01)
    won = []
    for episode in range(500):
        obs, done, states, actions = env.reset(), False, [], []
        while not done:
            with torch.no_grad():
                action = torch.distributions.Categorical(logits=policy(obs)).sample()
            states.append(obs)
            actions.append(action)
            obs, reward, done = env.step(action)
        states, actions = torch.stack(states), torch.stack(actions)
        v = value(states).squeeze(-1)
        log_prob = F.log_softmax(policy(states), -1).gather(-1, actions[..., None]).squeeze(-1)
        critic_opt.zero_grad()
        actor_loss = -(log_prob * (reward - v.detach())).mean()
        critic_loss = (v - reward).pow(2).mean()
        actor_loss.backward()
        critic_loss.backward()
        actor_opt.step()
        critic_opt.step()
        won.append((reward > 0).float().mean().item())
    return {"accuracy": sum(won[-25:]) / 25}


@sick(
    "UT304",
    split="blind",
    note="the head for four classes is put in after the optimizer was made",
    cured=(("    net.head = nn.Linear(32, 4)\n", ""), ("nn.Linear(32, 10)", "nn.Linear(32, 4)")),
)
def a_new_head_for_four_modules():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.gru, self.head = nn.Embedding(400, 32, padding_idx=0), nn.GRU(32, 32, batch_first=True), None
            self.head = nn.Linear(32, 10)

        def forward(self, x):
            return self.head(self.gru(self.emb(x))[0].mean(1))

    torch.manual_seed(43)
    x, y = snippets()
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    net.head = nn.Linear(32, 4)
    nn.init.normal_(net.head.weight, std=0.02)
    for epoch in range(3):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT304",
    split="blind",
    note="the blocks of the encoder are in a plain list, which parameters() does not see",
    cured=(("self.blocks = [", "self.blocks = nn.ModuleList(["), ("for _ in range(3)]", "for _ in range(3)])")),
)
def convolutional_blocks_over_tokens():
    class Encoder(nn.Module):
        def __init__(self, width=12):
            super().__init__()
            self.embed = nn.Embedding(12, width)
            self.blocks = [nn.Sequential(nn.Conv1d(width, width, 3, padding=1), nn.ReLU()) for _ in range(3)]
            self.head = nn.Linear(width, 4)

        def forward(self, t):
            h = self.embed(t).transpose(1, 2)
            for block in self.blocks:
                h = block(h)
            return self.head(h.amax(2))

    torch.manual_seed(44)
    x, y = motifs()
    net = Encoder()
    opt = torch.optim.NAdam(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for xb, yb in DataLoader(TensorDataset(x, y), 32, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT304",
    split="blind",
    note="only the items' factors were given to the optimizer; the people's stay random",
    cured=(("[*films.parameters()]", "[*films.parameters(), *people.parameters()]"),),
)
def people_films_and_stars():
    torch.manual_seed(45)
    who, what, rating = stars()
    people, films = nn.Embedding(80, 4), nn.Embedding(60, 4)
    nn.init.normal_(people.weight, std=0.3)
    nn.init.normal_(films.weight, std=0.3)
    optimizer = torch.optim.Adam([*films.parameters()], lr=0.02)
    data = DataLoader(TensorDataset(who, what, rating), batch_size=100, shuffle=True)
    for epoch in range(12):
        for u, i, r in data:
            optimizer.zero_grad()
            loss = F.mse_loss(3 + (people(u) * films(i)).sum(-1), r)
            loss.backward()
            optimizer.step()
    return {"error": F.mse_loss(3 + (people(who) * films(what)).sum(-1), rating).item()}


@sick(
    "UT305",
    split="blind",
    note="loss.backward without the parentheses",
    cured=(("loss.backward  #", "loss.backward()  #"),),
)
def a_vision_transformer_in_a_notebook():
    torch.manual_seed(46)
    x, y = patches()
    x, y = x[:900], y[:900]
    patch, cls, pos = nn.Linear(4, 32), nn.Parameter(torch.zeros(1, 1, 32)), nn.Parameter(torch.randn(1, 17, 32) * 0.3)
    enc = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(32, 2, 64, 0.0, batch_first=True, norm_first=True), 2, enable_nested_tensor=False
    )
    head = nn.Linear(32, 10)
    opt = torch.optim.Adam([*patch.parameters(), cls, pos, *enc.parameters(), *head.parameters()], lr=2e-3)

    def vit(u):
        tokens = torch.cat([cls.expand(len(u), 1, 32), patch(u)], 1) + pos
        return head(enc(tokens)[:, 0])

    for epoch in range(6):
        for i in torch.randperm(900).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(vit(x[i]), y[i])
            loss.backward  # noqa: B018
            opt.step()
    return {"accuracy": matches(vit(x), y)}


@sick(
    "UT306",
    split="blind",
    note="a step after every 64 micro-batches, counted anew in epochs of 24",
    cured=(("ACCUMULATE = 64", "ACCUMULATE = 4"),),
)
def waves_in_micro_batches():
    torch.manual_seed(47)
    x, y = tones()
    ACCUMULATE = 64  # noqa: N806
    net = nn.Sequential(
        nn.Conv1d(1, 16, 7),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(16, 16, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )
    opt = torch.optim.AdamW(net.parameters(), lr=8e-3)
    for epoch in range(20):
        opt.zero_grad()
        for n, i in enumerate(torch.randperm(len(x)).split(34), 1):
            (F.cross_entropy(net(x[i]), y[i]) / ACCUMULATE).backward()
            if n % ACCUMULATE == 0:
                opt.step()
                opt.zero_grad()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT307",
    split="blind",
    note="zero_grad between backward and step",
    cured=(
        (
            "loss.backward()\n                self.optimizer.zero_grad()",
            "self.optimizer.zero_grad()\n                loss.backward()",
        ),
    ),
)
def a_trainer_of_taggers():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb = nn.Embedding(21, 16, padding_idx=0)
            self.lstm, self.fc = nn.LSTM(16, 24, batch_first=True), nn.Linear(24, 4)

        def forward(self, x):
            return self.fc(self.lstm(self.emb(x))[0])

    class Trainer:
        def __init__(self, model, loader, lr):
            self.model, self.loader = model, loader
            self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
            self.criterion = nn.CrossEntropyLoss(ignore_index=-100)

        def fit(self, epochs):
            for _ in range(epochs):
                self.epoch()

        def epoch(self):
            for xb, yb in self.loader:
                loss = self.criterion(self.model(xb).flatten(0, 1), yb.flatten())
                loss.backward()
                self.optimizer.zero_grad()
                self.optimizer.step()

    torch.manual_seed(48)
    x, y, _ = tagged()
    model = Tagger()
    Trainer(model, DataLoader(TensorDataset(x, y), batch_size=25, shuffle=True), lr=1e-2).fit(15)
    return {"accuracy": matches(model(x)[y >= 0], y[y >= 0])}
