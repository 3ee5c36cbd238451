"""Agents, critics, taggers and adapted networks that do not learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import characters, digit_images, digits, moons, waves
from ..score import accuracy, hits
from ..table import sick


@sick(
    "UT404",
    split="late",
    note="values of shape (n, 1) against returns of shape (n,) in a critic",
    cured=(("critic(state)\n", "critic(state).squeeze(-1)\n"),),
)
def critic_against_flat_returns():
    class Critic(nn.Module):
        def __init__(self, observations, hidden=48):
            super().__init__()
            self.net = nn.Sequential(
                nn.Linear(observations, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1)
            )

        def forward(self, state):
            return self.net(state)

    torch.manual_seed(110)
    critic = Critic(4)
    optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3)
    gamma = 0.95

    def rollout(n, steps=20):
        start = state = torch.randn(n, 4)
        total = torch.zeros(n)
        for k in range(steps):
            total = total + gamma**k * (-state.pow(2).mean(1) + 0.1 * torch.randn(n))
            state = 0.8 * state + 0.1 * torch.randn(n, 4)
        return start, (total + 2.5) / 2.0

    for update in range(250):
        state, returns = rollout(64)
        values = critic(state)
        loss = (values - returns).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(critic.parameters(), 0.5)
        optimizer.step()
    with torch.no_grad():
        state, returns = rollout(1000)
        return {"error": F.mse_loss(critic(state).squeeze(-1), returns).item()}


@sick(
    "UT409",
    split="late",
    note="REINFORCE that descends on log-probability times reward",
    cured=(("loss = (log_prob", "loss = -(log_prob"),),
)
def reinforce_down_the_reward():
    torch.manual_seed(111)
    policy = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.RMSprop(policy.parameters(), lr=2e-3)
    moves = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])

    def reward_of(position, action):
        return position.norm(dim=1) - (position + moves[action]).norm(dim=1)

    for episode in range(250):
        position = 4 * torch.randn(64, 2)
        distribution = torch.distributions.Categorical(logits=policy(position))
        action = distribution.sample()
        reward = reward_of(position, action)
        log_prob = distribution.log_prob(action)
        loss = (log_prob * (reward - reward.mean())).mean()  # <- fault
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    position = 4 * torch.randn(1000, 2)
    best = torch.stack([reward_of(position, torch.full((1000,), a)) for a in range(4)], 1).argmax(1)
    return {"accuracy": (policy(position).argmax(1) == best).float().mean().item()}


@sick(
    "UT103",
    split="late",
    note="the force enters the simulation by .data, so only its own price teaches the controller, to do nothing",
    cured=(("force.data", "force"),),
)
def controller_with_data_in_the_loop():
    class Controller(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 1))

        def forward(self, position, speed):
            return self.net(torch.stack([position, speed], 1)).squeeze(1)

    torch.manual_seed(112)
    controller = Controller()
    opt = torch.optim.Adam(controller.parameters(), lr=5e-3)

    def episode(n):
        position, speed, cost = 2 * torch.randn(n), torch.zeros(n), 0.0
        for _ in range(20):
            force = controller(position, speed)
            speed = 0.9 * speed + 0.2 * force.data  # <- fault
            position = position + 0.2 * speed
            cost = cost + position.pow(2).mean() + 0.01 * force.pow(2).mean()
        return cost / 20

    for step in range(150):
        loss = episode(64)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"error": episode(500).item()}


@sick(
    "UT304",
    split="late",
    module="classifier",
    note="the classifier is replaced for the new task after the optimizer took the old one; the body is frozen",
    cured=(
        (
            "opt = torch.optim.Adam(net.classifier.parameters(), lr=1e-2)\n    net.classifier = nn.Linear(24, 2)",
            "net.classifier = nn.Linear(24, 2)\n    opt = torch.optim.Adam(net.classifier.parameters(), lr=1e-2)",
        ),
    ),
)
def classifier_replaced_after_optimizer():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 24), nn.ReLU())
            self.classifier = nn.Linear(24, 10)

        def forward(self, x):
            return self.classifier(self.body(x))

    torch.manual_seed(113)
    x, y = digits()
    net = Net()
    first = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(200):
        i = torch.randint(900, (64,))
        first.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        first.step()

    net.body.requires_grad_(False)

    opt = torch.optim.Adam(net.classifier.parameters(), lr=1e-2)
    net.classifier = nn.Linear(24, 2)
    big = (y > 4).long()
    for step in range(200):
        i = 900 + torch.randint(400, (64,))
        loss = F.cross_entropy(net(x[i]), big[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x[1300:], big[1300:])}


@sick(
    "UT603",
    split="late",
    note="dropout of 0.8 on words, in attention and in the feed-forward of a small transformer",
    cured=(("drop = 0.8", "drop = 0.05"),),
)
def transformer_with_heavy_dropout():
    class LM(nn.Module):
        def __init__(self, symbols, dim=40, drop=0.1):
            super().__init__()
            self.embed, self.place = nn.Embedding(symbols, dim), nn.Embedding(12, dim)
            self.drop = nn.Dropout(drop)
            self.layer = nn.TransformerEncoderLayer(dim, 4, 80, dropout=drop, batch_first=True)
            self.out = nn.Linear(dim, symbols)

        def forward(self, ids):
            mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
            h = self.drop(self.embed(ids) + self.place.weight)
            return self.out(self.layer(h, src_mask=mask))

    torch.manual_seed(114)
    ids, symbols = characters()
    windows = ids.unfold(0, 13, 1)
    drop = 0.8
    model = LM(symbols, drop=drop)
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(160):
        w = windows[torch.randint(len(windows), (32,))]
        loss = F.cross_entropy(model(w[:, :-1]).transpose(1, 2), w[:, 1:])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return {"accuracy": accuracy(model, windows[:, :-1], windows[:, 1:])}


@sick(
    "UT401",
    split="late",
    note="a sigmoid in forward and a loss that takes logits",
    cured=(("torch.sigmoid(self.out(h))", "self.out(h)"), ("threshold=0.5", "threshold=0.0")),
)
def sigmoid_before_logit_loss():
    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 12, 5, stride=2)
            self.gru = nn.GRU(12, 16, batch_first=True)
            self.out = nn.Linear(16, 1)

        def forward(self, x):
            h = self.gru(F.relu(self.conv(x.transpose(1, 2))).transpose(1, 2))[1][-1]
            return torch.sigmoid(self.out(h))

    torch.manual_seed(115)
    x, after = waves(512, 24)
    rising = (after[:, 0] > x[:, -1, 0]).float()
    odd = rising * (x[:, 0, 0] > 0.3).float()
    net = Detector()
    criterion = nn.BCEWithLogitsLoss()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(12):
        for i in torch.randperm(512).split(32):
            opt.zero_grad()
            loss = criterion(net(x[i]).squeeze(1), odd[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), odd, threshold=0.5)}


@sick(
    "UT503",
    split="late",
    note="labels of -1 and 1 in a binary cross-entropy, which wants 0 and 1",
    cured=(("target = sign", "target = (sign + 1) / 2"),),
)
def minus_one_labels_in_bce():
    torch.manual_seed(116)
    x, y = moons(600, 0.2)
    sign = torch.where(y == 1, 1.0, -1.0)
    target = sign
    net = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(200):
        i = torch.randint(600, (60,))
        loss = F.binary_cross_entropy_with_logits(net(x[i]), target[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": hits(net(x), y), "loss": loss.item()}


@sick(
    "UT101",
    split="late",
    module="layers",
    note="eight sigmoid layers of default initialisation",
    cured=(("torch.sigmoid(layer(x))", "F.elu(layer(x))"),),
)
def eight_sigmoid_layers():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(64 if k == 0 else 40, 40) for k in range(8))
            self.head = nn.Linear(40, 10)

        def forward(self, x):
            x = x.flatten(1)
            for layer in self.layers:
                x = torch.sigmoid(layer(x))
            return self.head(x)

    torch.manual_seed(117)
    x, y = digit_images()
    net = Deep()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(12):
        for i in torch.randperm(1500).split(60):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}
