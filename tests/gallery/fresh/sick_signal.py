"""Gradients that fade, burst or are cut on their way back."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits, first_symbol
from ..score import accuracy
from ..table import sick
from .data import bars, dialects, high_digits, hires, low_digits, sensors


@sick(
    "UT101",
    split="fresh",
    note="softmax as the activation of four hidden layers",
    cured=(("nn.Softmax(dim=1)", "nn.Tanh()"),),
)
def softmax_between_the_layers():
    torch.manual_seed(0)
    x, y = digits()
    layers = []
    for a, b in [(64, 48), (48, 48), (48, 48), (48, 48)]:
        layers += [nn.Linear(a, b), nn.Softmax(dim=1)]
    net = nn.Sequential(*layers, nn.Linear(48, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT101",
    split="fresh",
    note="ten convolutions whose weights were drawn with a deviation of 0.01, no normalisation, no way round",
    cured=(("nn.init.normal_(m.weight, std=0.01)", "nn.init.kaiming_normal_(m.weight)"),),
)
def ten_convolutions_of_a_hundredth():
    torch.manual_seed(1)
    x, y = bars()
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()]
    for _ in range(9):
        layers += [nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), nn.Linear(128, 4))
    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            nn.init.normal_(m.weight, std=0.01)
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(6):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT101",
    split="fresh",
    note="a plain tanh recurrence under SGD is asked for what it saw sixty steps ago",
    cured=(
        ("nn.RNN(4, 32, batch_first=True)", "nn.GRU(4, 32, batch_first=True)"),
        ("self.rnn(x)[0][:, -1]", "self.rnn(x)[0].mean(1)"),
    ),
)
def recurrence_asked_for_its_first_step():
    class Memory(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(4, 32, batch_first=True)
            self.fc = nn.Linear(32, 4)

        def forward(self, x):
            return self.fc(self.rnn(x)[0][:, -1])

    torch.manual_seed(2)
    x, y = first_symbol()
    net = Memory()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(40):
        for i in torch.randperm(256).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT102",
    split="fresh",
    note="residual blocks by hand whose weights are torch.randn without a divisor",
    cured=(("torch.randn(width, width)", "torch.randn(width, width) / width / 2"),),
)
def residual_blocks_of_plain_randn():
    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(width, width))
            self.bias = nn.Parameter(torch.zeros(width))

        def forward(self, x):
            return x + torch.relu(x @ self.weight + self.bias)

    torch.manual_seed(3)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 32), *[Block(32) for _ in range(6)], nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT102",
    split="fresh",
    note="orthogonal weights with a gain of 3 in twelve rectified layers",
    cured=(("gain=3.0", "gain=1.4"),),
)
def orthogonal_with_a_gain_of_three():
    torch.manual_seed(4)
    x, y = sensors()
    layers = [nn.Flatten(), nn.Linear(144, 48), nn.ReLU()]
    for _ in range(11):
        layers += [nn.Linear(48, 48), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Linear(48, 3))
    for m in net.modules():
        if isinstance(m, nn.Linear):
            nn.init.orthogonal_(m.weight, gain=3.0)
    opt = torch.optim.SGD(net.parameters(), lr=0.002)
    for epoch in range(25):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT103",
    split="fresh",
    note="an actor improved through its critic, with sample() where rsample() is meant",
    cured=(("law.sample()", "law.rsample()"),),
)
def sampled_without_reparametrisation():
    torch.manual_seed(5)
    critic = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1))
    actor = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
    value, policy = torch.optim.Adam(critic.parameters(), lr=3e-3), torch.optim.Adam(actor.parameters(), lr=3e-3)
    for step in range(500):
        state = 2 * torch.rand(64, 2) - 1
        law = torch.distributions.Normal(actor(state), 0.3)
        action = law.sample()
        reward = -((action.detach() - state.sum(1, keepdim=True)) ** 2)
        loss = F.mse_loss(critic(torch.cat([state, action.detach()], 1)), reward)
        value.zero_grad()
        loss.backward()
        value.step()
        gain = -critic(torch.cat([state, action], 1)).mean()
        policy.zero_grad()
        gain.backward()
        policy.step()
    state = 2 * torch.rand(500, 2) - 1
    return {"error": F.mse_loss(actor(state), state.sum(1, keepdim=True)).item()}


@sick(
    "UT103",
    split="fresh",
    note="embeddings read through .weight.data",
    cured=(("self.embed.weight.data[tokens]", "self.embed(tokens)"),),
)
def embeddings_read_as_data():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.fc = nn.Embedding(13 * 13, 2), nn.Linear(2, 3)

        def forward(self, tokens):
            return self.fc(self.embed.weight.data[tokens].mean(1))

    torch.manual_seed(6)
    tokens, _, kind = dialects()
    pairs = tokens[:, :-1] * 13 + tokens[:, 1:]
    net = Bag()
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(15):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(pairs[i]), kind[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, pairs, kind)}


@sick(
    "UT103",
    split="fresh",
    note="a loss wrapped in a new tensor with requires_grad=True, after the error said it needed one",
    cured=(("torch.tensor(F.mse_loss(out, y[i]), requires_grad=True)", "F.mse_loss(out, y[i])"),),
)
def loss_wrapped_anew():
    torch.manual_seed(7)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 32), nn.GELU(), nn.Linear(32, 1))
    opt = torch.optim.Adagrad(net.parameters(), lr=0.05)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            out = net(x[i]).squeeze(1)
            loss = torch.tensor(F.mse_loss(out, y[i]), requires_grad=True)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT107",
    split="fresh",
    note="weights initialised by apply() after the pretrained ones were loaded; then all but the head is frozen",
    cured=(("    net.apply(init)\n", ""),),
)
def initialised_over_the_pretrained():
    def init(m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=0.02)
            nn.init.zeros_(m.bias)

    def fit(net, x, y, epochs):
        opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=2e-3)
        for _ in range(epochs):
            for i in torch.randperm(len(x)).split(32):
                opt.zero_grad()
                loss = F.cross_entropy(net(x[i]), y[i])
                loss.backward()
                opt.step()

    def make():
        return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 5))

    torch.manual_seed(8)
    source = make()
    fit(source, *low_digits(), 10)
    net = make()
    net.load_state_dict(source.state_dict())
    net.apply(init)
    net.requires_grad_(False)
    net[-1] = nn.Linear(24, 5)
    x, y = high_digits()
    fit(net, x, y, 10)
    return {"accuracy": accuracy(net, x, y)}
