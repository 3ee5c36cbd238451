"""Questions that people asked, rebuilt: signs, sums, NaN, and some that stood alone."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digits, waves, wine
from ..score import accuracy, hits, matches
from ..table import sick
from .data_c import headlines, passengers


@sick(
    "UT302",
    split="wild",
    note="XOR by four sigmoid units and SGD at 0.01: all four answers are a half",
    cured=(("lr=0.01", "lr=4.0, momentum=0.9"),),
)
def xor_at_a_hundredth():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.x1 = nn.Linear(2, 4)
            self.x2 = nn.Linear(4, 1)

        def forward(self, feats):
            return torch.sigmoid(self.x2(torch.sigmoid(self.x1(feats))))

    torch.manual_seed(82)
    gates = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    expected = torch.tensor([[1.0], [0.0], [0.0], [1.0]])
    net = Network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)  # <- fault

    def closure():
        optimizer.zero_grad()
        error = F.mse_loss(net(gates), expected)
        error.backward()
        return error

    for i in range(700):
        error = optimizer.step(closure)
    return {"error": error.item()}


@sick(
    "UT406",
    split="wild",
    module=("encoder", "encoder.layers.0.norm1", "encoder.layers.1.norm2", "encoder.layers.0", "encoder.layers.1"),
    note="a transformer of width 1 over a series: a layer norm over one feature leaves nothing of it",
    cured=(("d_model = 1", "d_model = 16"), ("self.lift = nn.Identity()", "self.lift = nn.Linear(1, 16)")),
)
def transformer_of_width_one():
    d_model = 1  # <- fault

    class Series(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift = nn.Identity()
            layer = nn.TransformerEncoderLayer(d_model, 1, 32, dropout=0.0, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2)
            self.lin = nn.Linear(12 * d_model, 1)

        def forward(self, x):
            return self.lin(self.encoder(self.lift(x)).flatten(1))

    torch.manual_seed(83)
    x, y = waves(256, 12)
    model = Series()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(15):
        for b in torch.randperm(256).split(32):
            loss = F.mse_loss(model(x[b]), y[b])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(x), y).item()}


@sick(
    "UT407",
    split="wild",
    note="MSELoss(reduction='sum') taken from a beginners' example and its tiny rate replaced by a usual one",
    cured=(('reduction="sum"', 'reduction="mean"'),),
)
def summed_as_in_the_first_example():
    torch.manual_seed(84)
    x, y = diabetes()
    y = y.unsqueeze(1)
    model = torch.nn.Sequential(torch.nn.Linear(10, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
    loss_fn = torch.nn.MSELoss(reduction="sum")  # <- fault
    learning_rate = 1e-2
    for t in range(300):
        loss = loss_fn(model(x), y)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for param in model.parameters():
                param -= learning_rate * param.grad
    with torch.no_grad():
        return {"error": F.mse_loss(model(x), y).item()}


@sick(
    "UT409",
    split="wild",
    note="the concordance coefficient itself is minimised, where 1 - ccc was meant",
    cured=(("return 2 * covariance", "return 1 - 2 * covariance"),),
)
def concordance_minimised():
    def criterion(prediction, truth):
        mean_p, mean_t = prediction.mean(), truth.mean()
        covariance = ((prediction - mean_p) * (truth - mean_t)).mean()
        return 2 * covariance / (prediction.var() + truth.var() + (mean_p - mean_t) ** 2)  # <- fault

    torch.manual_seed(85)
    windows = passengers().unfold(0, 13, 1)
    windows = (windows - 280) / 100
    audio, arousal = windows[:, None, :-1], windows[:, -1]
    net = nn.Sequential(nn.Conv1d(1, 8, 3), nn.ReLU(), nn.Conv1d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(15):
        for b in torch.randperm(len(audio)).split(48):
            optimizer.zero_grad()
            loss = criterion(net(audio[b]).squeeze(1), arousal[b])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(audio).squeeze(1), arousal).item()}


@sick(
    "UT409",
    split="wild",
    note="a policy gradient on a bandit with states, log probability times reward without the minus",
    cured=(("(m.log_prob(action) * advantage).mean()", "-(m.log_prob(action) * advantage).mean()"),),
)
def policy_gradient_without_minus():
    torch.manual_seed(86)
    x, best = wine()
    policy = nn.Sequential(nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    baseline = 0.0
    for step in range(300):
        i = torch.randint(len(x), (32,))
        m = torch.distributions.Categorical(logits=policy(x[i]))
        action = m.sample()
        reward = (action == best[i]).float()
        advantage = reward - baseline
        baseline = 0.9 * baseline + 0.1 * reward.mean().item()
        loss = (m.log_prob(action) * advantage).mean()  # <- fault
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"accuracy": accuracy(policy, x, best)}


@sick(
    "UT801",
    split="wild",
    note="pairwise distances with a square root over a diagonal of noughts: NaN after the first step",
    cured=(("torch.sqrt(square)", "torch.sqrt(square + 1e-8)"),),
)
def root_of_the_zero_diagonal():
    torch.manual_seed(87)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(120):
        i = torch.randint(len(x), (64,))
        z, same = net(x[i]), (y[i][:, None] == y[i][None]).float()
        square = (z[:, None] - z[None]).pow(2).sum(-1)
        distance = torch.sqrt(square)  # <- fault
        loss = (same * distance**2 + (1 - same) * F.relu(2.0 - distance) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        points = net(x)
    centres = torch.stack([points[y == c].mean(0) for c in range(10)])
    return {"accuracy": matches(-torch.cdist(points, centres), y)}


@sick(
    "UT801",
    split="wild",
    note="model.half() and Adam with its usual epsilon, which is nought in float16",
    cured=(("lr=1e-3)  # <- fault", "lr=1e-3, eps=1e-4)"),),
)
def half_precision_adam():
    torch.manual_seed(88)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).half()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)  # <- fault
    data = x.half()
    for epoch in range(6):
        for i in torch.randperm(len(x)).split(64):
            output = model(data[i])
            loss = F.cross_entropy(output.float(), y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, data, y), "loss": loss.item()}


@sick(
    "UT801",
    split="wild",
    note="cross entropy by hand, target * log(prediction) with predictions that reach nought",
    cured=(
        ("torch.log(p)", "torch.log(p.clamp(1e-7, 1 - 1e-7))"),
        ("torch.log(1 - p)", "torch.log((1 - p).clamp(1e-7, 1))"),
    ),
)
def log_of_a_reached_nought():
    torch.manual_seed(89)
    x, y = cancer()
    target = y.float().view(-1, 1)
    net = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(30):
        for b in torch.randperm(len(x)).split(32):
            p = net(4 * x[b])
            loss = -(target[b] * torch.log(p) + (1 - target[b]) * torch.log(1 - p)).mean()  # <- fault
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"accuracy": hits(net(4 * x), target, 0.5)}


@sick(
    "UT705",
    split="wild",
    note="forty headlines, a hundred and twenty epochs: the training loss is nought, that of validation grows",
    cured=(
        ("self.drop = nn.Identity()", "self.drop = nn.Dropout(0.5)"),
        ("tokens[:40], labels[:40]", "tokens[:400], labels[:400]"),
        ("range(120)", "range(20)"),
    ),
)
def forty_headlines_by_heart():
    class LSTMClassifier(nn.Module):
        def __init__(self, words):
            super().__init__()
            self.emb = nn.Embedding(words, 32)
            self.drop = nn.Identity()
            self.lstm = nn.LSTM(32, 32, batch_first=True)
            self.fc = nn.Linear(32, 4)

        def forward(self, t):
            return self.fc(self.drop(self.lstm(self.drop(self.emb(t)))[0].amax(1)))

    torch.manual_seed(90)
    texts, labels = headlines()
    vocab = {w: k for k, w in enumerate(sorted({w for t in texts for w in t}))}
    tokens = torch.tensor([[vocab[w] for w in t] for t in texts])
    model = LSTMClassifier(len(vocab))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loader = DataLoader(TensorDataset(tokens[:40], labels[:40]), batch_size=20, shuffle=True)
    validation = []
    for epoch in range(120):
        model.train()
        for t, lab in loader:
            loss = F.cross_entropy(model(t), lab)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            validation.append(F.cross_entropy(model(tokens[400:]), labels[400:]).item())
    return {"accuracy": accuracy(model, tokens[400:], labels[400:]), "loss": loss.item(), "validation": validation[-1]}
