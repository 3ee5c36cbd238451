"""Losses that are climbed, targets of thousands, first guesses that are sure and wrong."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits
from ..score import accuracy, matches
from ..table import sick
from .data import bars, dialects, hires, load, program, sensors


@sick(
    "UT409",
    split="fresh",
    note="maximize=True left over from a policy gradient",
    cured=((", maximize=True", ""),),
)
def maximize_left_over():
    torch.manual_seed(0)
    x, y = sensors()
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 32), nn.Tanh(), nn.Linear(32, 3))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, maximize=True)
    for epoch in range(10):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT409",
    split="fresh",
    note="REINFORCE without its minus",
    cured=(("(log_prob * gain).mean()", "-(log_prob * gain).mean()"),),
)
def reinforce_without_minus():
    torch.manual_seed(1)
    policy = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 4))
    opt = torch.optim.Adam(policy.parameters(), lr=3e-3)
    for step in range(400):
        state = torch.randn(64, 4)
        choice = torch.distributions.Categorical(logits=policy(state))
        action = choice.sample()
        reward = (action == state.argmax(1)).float()
        gain = reward - reward.mean()
        log_prob = choice.log_prob(action)
        loss = (log_prob * gain).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    state = torch.randn(1000, 4)
    return {"accuracy": matches(policy(state), state.argmax(1))}


@sick(
    "UT409",
    split="fresh",
    note="cosine similarity of matching pairs minimised in place of one minus it",
    cured=(("same = F.cosine_similarity(a, b)", "same = 1 - F.cosine_similarity(a, b)"),),
)
def matching_pairs_driven_apart():
    torch.manual_seed(2)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(500):
        i = torch.randint(1500, (64,))
        j = torch.randint(1500, (64,))
        a, b = net(x[i]), net(x[j])
        same = F.cosine_similarity(a, b)
        other = F.relu(F.cosine_similarity(a, b) - 0.2)
        loss = torch.where(y[i] == y[j], same, other).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    z = F.normalize(net(x), dim=1)
    nearest = (z[1500:] @ z[:1500].T).argmax(1)
    return {"accuracy": (y[:1500][nearest] == y[1500:]).float().mean().item()}


@sick(
    "UT508",
    split="fresh",
    note="a station's load in kilowatts forecast as it is, the inputs scaled and the targets not",
    cured=(("target = after", "target = (after - after.mean()) / after.std()"),),
)
def kilowatts_forecast_by_a_gru():
    class Forecast(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.out = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

        def forward(self, x):
            return self.out(self.gru(x)[0][:, -1])

    torch.manual_seed(3)
    curve, after = load()
    curve = (curve - curve.mean()) / curve.std()
    target = after
    net = Forecast()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(20):
        for i in torch.randperm(400).split(25):
            opt.zero_grad()
            loss = F.mse_loss(net(curve[i]), target[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(curve), target).item() / target.var().item()}


@sick(
    "UT508",
    split="fresh",
    note="values of a game whose rewards are thousands",
    cured=(("prize = 5000.0", "prize = 1.0"),),
)
def rewards_of_thousands():
    torch.manual_seed(4)
    prize = 5000.0
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    states = torch.eye(8)
    for step in range(800):
        s, a = torch.randint(7, (64,)), torch.randint(2, (64,))
        follows = (s + 2 * a - 1).clamp(0)
        done = (follows == 7).float()
        with torch.no_grad():
            goal = done * prize + 0.9 * (1 - done) * net(states[follows]).amax(1)
        loss = F.mse_loss(net(states[s]).gather(1, a[:, None]).squeeze(1), goal)
        opt.zero_grad()
        loss.backward()
        opt.step()
    value = net(states[:7]).amax(1) / prize
    return {"error": F.mse_loss(value, 0.9 ** torch.arange(6.0, -1, -1)).item()}


@sick(
    "UT408",
    split="fresh",
    note="the head drawn from a standard normal law over 256 features",
    cured=(("nn.init.normal_(net[-1].weight)", "nn.init.normal_(net[-1].weight, std=0.02)"),),
)
def head_of_standard_normals():
    torch.manual_seed(5)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))
    nn.init.normal_(net[-1].weight)
    opt = torch.optim.AdamW(net.parameters(), lr=3e-4)
    for epoch in range(15):
        for i in torch.randperm(1200).split(32):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x[1200:]).squeeze(1), y[1200:]).item()}


@sick(
    "UT408",
    split="fresh",
    note="embeddings of deviation 1 and 64 entries serve as output weights too, in a small transformer",
    cured=(("nn.Embedding(n, 64)", "nn.Embedding(n, 64, _weight=0.02 * torch.randn(n, 64))"),),
)
def tied_without_scaling():
    class Tied(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.embed, self.place = nn.Embedding(n, 64), nn.Parameter(0.02 * torch.randn(20, 64))
            self.block = nn.TransformerEncoderLayer(64, 4, 128, 0.0, batch_first=True, norm_first=True)
            self.norm = nn.LayerNorm(64)
            self.mask = nn.Transformer.generate_square_subsequent_mask(20)

        def forward(self, x):
            h = self.block(self.embed(x) + self.place, self.mask)
            return self.norm(h) @ self.embed.weight.T

    torch.manual_seed(6)
    text, n = program()
    net = Tied(n)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for step in range(250):
        at = torch.randint(len(text) - 21, (16,))
        piece = text[at[:, None] + torch.arange(21)]
        loss = F.cross_entropy(net(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    rows = text[:10500].view(-1, 21)
    return {"accuracy": matches(net(rows[:, :-1]), rows[:, 1:])}


@sick(
    "UT701",
    split="fresh",
    note="the first output of a recurrent network is read in place of the last",
    cured=(("h[:, 0]", "h[:, -1]"),),
)
def first_output_read():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.rnn, self.fc = nn.Embedding(13, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 3)

        def forward(self, x):
            h, _ = self.rnn(self.embed(x))
            return self.fc(h[:, 0])

    torch.manual_seed(7)
    tokens, _, kind = dialects()
    net = Reader()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(tokens[i]), kind[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, tokens, kind)}


@sick(
    "UT406",
    split="fresh",
    note="keep_prob of another framework: nn.Dropout(1.0) was meant to keep everything",
    cured=(("nn.Dropout(1.0)", "nn.Dropout(0.0)"),),
)
def everything_dropped():
    torch.manual_seed(8)
    x, y = bars()
    body = [nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten()]
    net = nn.Sequential(*body, nn.Dropout(1.0), nn.Linear(64, 4))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(8):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
