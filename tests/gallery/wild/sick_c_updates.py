"""Questions that people asked, rebuilt: the gradient is there and the weights do not go where it points."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, digit_images, digits
from ..score import accuracy
from ..table import sick


@sick(
    "UT301",
    split="wild",
    note="a CNN under Adam at 0.1: 2.3026 for ever, every relu dead after a few steps",
    cured=(("lr=0.1", "lr=0.001"),),
)
def adam_at_a_tenth_for_a_cnn():
    torch.manual_seed(21)
    images, labels = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24 * 4, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)  # <- fault
    for epoch in range(4):
        running_loss = 0.0
        for i, (inputs, classes) in enumerate(DataLoader(TensorDataset(images, labels), 50, shuffle=True)):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(inputs), classes)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
    return {"accuracy": accuracy(net, images, labels), "loss": running_loss / (i + 1)}


@sick(
    "UT301",
    split="wild",
    note="REINFORCE on a corridor runs into a wall, whatever is done: the rate was the fault",
    cured=(("lr=3.0", "lr=0.02"),),
)
def policy_that_runs_into_the_wall():
    class Policy(nn.Module):
        def __init__(self):
            super().__init__()
            self.affine1 = nn.Linear(2, 32)
            self.affine2 = nn.Linear(32, 3)

        def forward(self, x):
            return F.softmax(self.affine2(F.relu(self.affine1(x))), dim=-1)

    def episode(policy, walkers=32, steps=12):
        place, goal = torch.rand(walkers) * 2 - 1, torch.rand(walkers) * 2 - 1
        logs, rewards = [], []
        for _ in range(steps):
            dist = torch.distributions.Categorical(policy(torch.stack([place, goal], -1)))
            action = dist.sample()
            before = (place - goal).abs()
            place = (place + 0.15 * (action - 1)).clamp(-1, 1)
            logs.append(dist.log_prob(action))
            rewards.append((before - (place - goal).abs()) * 5)
        return torch.stack(logs), torch.stack(rewards), (place - goal).abs().mean()

    torch.manual_seed(22)
    policy = Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=3.0)  # <- fault
    for i_episode in range(120):
        log_probs, rewards, _ = episode(policy)
        returns = rewards.flip(0).cumsum(0).flip(0)
        returns = (returns - returns.mean(1, keepdim=True)) / (returns.std() + 1e-6)
        policy_loss = -(log_probs * returns).mean()
        optimizer.zero_grad()
        policy_loss.backward()
        optimizer.step()
    with torch.no_grad():
        return {"error": episode(policy, 200)[2].item()}


@sick(
    "UT302",
    split="wild",
    note="digits by sigmoid units and squared error: gives the mean for every image, SGD at 0.001",
    cured=(("lr=0.001", "lr=3.0"),),
)
def mean_of_the_digits():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer1 = torch.nn.Linear(64, 80)
            self.layer2 = torch.nn.Linear(80, 10)

        def forward(self, x):
            x = torch.sigmoid(self.layer1(x))
            return torch.sigmoid(self.layer2(x))

    torch.manual_seed(23)
    images, labels = digits()
    net = Net()
    loss_function = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001)  # <- fault
    for epoch in range(16):
        for batch in torch.randperm(len(images)).split(32):
            optimizer.zero_grad()
            desired_output = F.one_hot(labels[batch], 10).float()
            loss = loss_function(net(images[batch]), desired_output)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, images, labels), "loss": loss.item()}


@sick(
    "UT302",
    split="wild",
    note="the step schedule of an epoch is stepped at every batch",
    cured=(("            scheduler.step()", "        scheduler.step()"),),
)
def schedule_stepped_at_each_batch():
    torch.manual_seed(24)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(144, 10)
    )
    criterion = nn.CrossEntropyLoss()
    optimizer_ft = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scheduler = StepLR(optimizer_ft, step_size=7, gamma=0.1)
    best = 0.0
    for epoch in range(9):
        model.train()
        for inputs, labels in DataLoader(TensorDataset(x[:1500], y[:1500]), batch_size=64, shuffle=True):
            optimizer_ft.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer_ft.step()
            scheduler.step()  # <- fault
        best = max(best, accuracy(model, x[1500:], y[1500:]))
    return {"accuracy": best, "loss": loss.item()}


@sick(
    "UT303",
    split="wild",
    note="an LSTM that cannot learn to count: no zero_grad in a loop written anew, Adam",
    cured=(("loss.backward()", "optimizer.zero_grad(); loss.backward()"),),
)
def lstm_that_cannot_go_on_counting():
    torch.manual_seed(25)
    lstm = torch.nn.LSTM(input_size=1, hidden_size=40, batch_first=True)
    linear = torch.nn.Linear(40, 1)
    criterion = torch.nn.MSELoss()
    params = list(lstm.parameters()) + list(linear.parameters())
    optimizer = torch.optim.Adam(params, lr=0.01)
    steps = 21
    x = (torch.arange(steps) / 20).view(1, steps, 1)
    y = (torch.arange(2, steps + 2) / 20).view(1, steps)
    for j in range(150):
        hidden = (torch.zeros(1, 1, 40), torch.zeros(1, 1, 40))
        output, hidden = lstm(x, hidden)
        loss = criterion(linear(output).squeeze(-1), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return {"error": criterion(linear(lstm(x)[0]).squeeze(-1), y).item()}


@sick(
    "UT303",
    split="wild",
    note="zero_grad once an epoch, in front of the loop over the batches",
    cured=(
        ("        optimizer.zero_grad()\n", ""),
        ("loss = F.cross_entropy", "optimizer.zero_grad(); loss = F.cross_entropy"),
    ),
)
def zero_grad_outside_the_loop_of_batches():
    torch.manual_seed(26)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    for epoch in range(6):
        optimizer.zero_grad()
        for rows in torch.randperm(len(x)).split(30):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y), "loss": loss.item()}


@sick(
    "UT304",
    split="wild",
    module="fc",
    note="transfer: the head is replaced after the optimizer was made",
    cured=(
        ("    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)\n", ""),
        (
            "    net.fc = nn.Linear(32, 5)  # <- fault\n",
            "    net.fc = nn.Linear(32, 5)\n"
            "    optimizer = torch.optim.SGD(net.fc.parameters(), lr=0.05, momentum=0.9)\n",
        ),
    ),
)
def new_head_the_optimizer_never_saw():
    class Backbone(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
            self.fc = nn.Linear(32, 10)

        def forward(self, x):
            return self.fc(self.body(x))

    torch.manual_seed(27)
    x, y = digits()
    old, new = y < 5, y >= 5
    net = Backbone()
    first = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(80):
        pick = torch.randint(int(old.sum()), (64,))
        first.zero_grad()
        F.cross_entropy(net(x[old][pick]), y[old][pick]).backward()
        first.step()
    for p in net.body.parameters():
        p.requires_grad_(False)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    net.fc = nn.Linear(32, 5)  # <- fault
    xs, ys = x[new], y[new] - 5
    for _ in range(400):
        pick = torch.randint(len(xs), (64,))
        loss = F.cross_entropy(net(xs[pick]), ys[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"accuracy": accuracy(net, xs, ys), "loss": loss.item()}


@sick(
    "UT304",
    split="wild",
    note="layers in a plain list: parameters() gives the last one only",
    cured=(("self.blocks = [", "self.blocks = nn.ModuleList(["), ("range(depth)]", "range(depth)])")),
)
def layers_in_a_plain_list():
    class CharNet(nn.Module):
        def __init__(self, vocab, width=16, depth=2):
            super().__init__()
            self.emb = nn.Embedding(vocab, width)
            self.blocks = [nn.GRU(width, width, batch_first=True) for _ in range(depth)]
            self.head = nn.Linear(width, vocab)

        def forward(self, t):
            h = self.emb(t)
            for block in self.blocks:
                h = block(h)[0]
            return self.head(h[:, -1])

    torch.manual_seed(28)
    text, vocab = characters("heapq")
    windows = text.unfold(0, 7, 1)
    net = CharNet(vocab)
    opt = torch.optim.Adam(net.parameters(), lr=0.02)
    for it in range(250):
        w = windows[torch.randint(len(windows), (64,))]
        loss = F.cross_entropy(net(w[:, :-1]), w[:, -1])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, windows[:, :-1], windows[:, -1]), "loss": loss.item()}
