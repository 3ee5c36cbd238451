"""Optimizers that hold the wrong parameters, too few of them, or those of a net that is gone."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digits
from ..score import accuracy, matches
from ..table import sick
from .data_a import bent, emblems, fabrics, picture, plant, scaled_houses, village


@sick(
    "UT304",
    split="blind",
    note="hidden layers in a plain list, which parameters() does not see",
    cured=(("self.hidden = [", "self.hidden = nn.ModuleList(["), ("for _ in range(3)]", "for _ in range(3)])")),
)
def layers_in_a_list_of_three():
    class MLP(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(5, 24)
            self.hidden = [nn.Linear(24, 24) for _ in range(3)]
            self.last = nn.Linear(24, 1)

        def forward(self, x):
            x = F.relu(self.first(x))
            for layer in self.hidden:
                x = F.relu(layer(x))
            return self.last(x)[:, 0]

    torch.manual_seed(1)
    x, y = scaled_houses()
    net = MLP()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(20):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item()}


@sick(
    "UT304",
    split="blind",
    note="of a decoder and an encoder only the decoder's parameters are given to the optimizer",
    cured=(("Adam(decoder.parameters()", "Adam([*encoder.parameters(), *decoder.parameters()]"),),
)
def codes_of_emblems():
    torch.manual_seed(2)
    x, _ = emblems()
    encoder = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(288, 6))
    decoder = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 144), nn.Unflatten(1, (1, 12, 12)))
    opt = torch.optim.Adam(decoder.parameters(), lr=3e-3)
    for epoch in range(20):
        for (batch,) in DataLoader(TensorDataset(x), batch_size=30, shuffle=True):
            opt.zero_grad()
            F.mse_loss(decoder(encoder(batch)), batch).backward()
            opt.step()
    return {"error": F.mse_loss(decoder(encoder(x)), x).item()}


@sick(
    "UT304",
    split="blind",
    note="the optimizer is made before the net is copied, and the copy is trained",
    cured=(("model = copy.deepcopy(model)", "model.train()"),),
)
def copy_made_for_safety():
    torch.manual_seed(3)
    x, y = fabrics()
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 6)
    )
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    model = copy.deepcopy(model)
    for epoch in range(12):
        for i in torch.randperm(600).split(30):
            model.zero_grad()
            F.cross_entropy(model(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT304",
    split="blind",
    note="the last layer is replaced for ten classes after the optimizer was made",
    cured=(("net.head = nn.Linear(16, 10)", "net.head.reset_parameters()"), ("(16, 1000)", "(16, 10)")),
)
def new_head_on_an_old_net():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
            self.head = nn.Linear(16, 1000)

        def forward(self, x):
            return self.head(self.body(x))

    torch.manual_seed(4)
    x, y = digits()
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    net.head = nn.Linear(16, 10)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.cross_entropy(net(x), y).item()}


@sick(
    "UT304",
    split="blind",
    note="only parameters named 'weight' go to the optimizer: not the frequencies, the phases and the bias",
    cured=(('if "weight" in n', 'if "" in n'),),
)
def picture_by_learned_frequencies():
    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.freqs, self.phase = nn.Parameter(torch.randn(2, 24)), nn.Parameter(torch.zeros(24))
            self.out = nn.Linear(24, 1)

        def forward(self, at):
            return self.out(torch.sin(at @ self.freqs + self.phase))

    torch.manual_seed(5)
    at, grey = picture()
    net = Field()
    opt = torch.optim.Adam([p for n, p in net.named_parameters() if "weight" in n], lr=2e-2)
    for step in range(800):
        i = torch.randint(len(at), (128,))
        opt.zero_grad()
        F.mse_loss(net(at[i]), grey[i]).backward()
        opt.step()
    return {"error": F.mse_loss(net(at), grey).item()}


@sick(
    "UT304",
    split="blind",
    note="of two heads the second was forgotten in the list of groups",
    cured=(('{"params": head_made.parameters()}', '{"params": [*head_made.parameters(), *head_state.parameters()]}'),),
)
def groups_with_rates_of_their_own():
    torch.manual_seed(6)
    x, made, state = plant()
    trunk = nn.Sequential(nn.Linear(6, 4), nn.Tanh())
    head_made, head_state = nn.Linear(4, 1), nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    opt = torch.optim.AdamW([{"params": trunk.parameters(), "lr": 3e-3}, {"params": head_made.parameters()}], lr=1e-2)
    for epoch in range(25):
        for i in torch.randperm(700).split(50):
            h = trunk(x[i])
            loss = F.mse_loss(head_made(h), made[i]) + F.cross_entropy(head_state(h), state[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(head_state(trunk(x)), state)}


@sick(
    "UT304",
    split="blind",
    note="the graph layer's weight is a plain tensor with requires_grad, not a Parameter",
    cured=(("torch.randn(8, 32, requires_grad=True)", "nn.Parameter(torch.randn(8, 32))"),),
)
def graph_layer_of_a_beginner():
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.randn(8, 32, requires_grad=True)
            self.fc = nn.Linear(32, 4)

        def forward(self, a, x):
            return self.fc(torch.tanh(a @ x @ self.w) / 32**0.5)

    torch.manual_seed(7)
    x, knows, y, known = village()
    a = knows / knows.sum(1, keepdim=True).clamp(1)
    net = Graph()
    opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    for step in range(120):
        opt.zero_grad()
        F.cross_entropy(net(a, x)[known], y[known]).backward()
        opt.step()
    return {"error": F.cross_entropy(net(a, x)[known], y[known]).item()}


@sick(
    "UT304",
    split="blind",
    note="the means of a mixture are learned; the layer of their spreads was left out",
    cured=(
        ("[*body.parameters(), *mean.parameters()]", "[*body.parameters(), *mean.parameters(), *spread.parameters()]"),
    ),
)
def three_heads_for_a_bent_relation():
    torch.manual_seed(8)
    x, y = bent()
    body = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
    mean, spread = nn.Linear(32, 4), nn.Linear(32, 4)

    def nll(x, y):
        h = body(x)
        bells = torch.distributions.Normal(mean(h), F.softplus(spread(h)) + 0.01)
        return -torch.logsumexp(bells.log_prob(y) - 1.386, 1).mean()

    opt = torch.optim.Adam([*body.parameters(), *mean.parameters()], lr=5e-3)
    for epoch in range(40):
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            nll(x[i], y[i]).backward()
            opt.step()
    return {"error": nll(x, y).exp().item()}
