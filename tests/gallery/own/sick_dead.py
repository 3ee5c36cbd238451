"""Units that no input switches on."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, diabetes, digit_images, digits, iris, moons, raw_diabetes, wine
from ..score import accuracy
from ..table import sick


@sick("UT201", module=("2", "3"), split="build")
def bias_of_minus_ten():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.constant_(model[2].bias, -10.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT201", module=("conv2",), split="judge")
def convolution_that_never_fires():
    class CNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
            self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
            self.fc = nn.Linear(16 * 4, 10)
            nn.init.constant_(self.conv2.bias, -3.0)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            return self.fc(x.flatten(1))

    torch.manual_seed(1)
    x, y = digit_images()
    model = CNN()
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
        opt.zero_grad()
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT201", module=("fc1", "act"), split="build", note="weights drawn from -1..0 over inputs of 0..1")
def weights_all_negative():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(64, 40)
            self.act = nn.ReLU()
            self.fc2 = nn.Linear(40, 10)
            nn.init.uniform_(self.fc1.weight, -1, 0)

        def forward(self, x):
            return self.fc2(self.act(self.fc1(x)))

    torch.manual_seed(2)
    x, y = digits()
    net = Net()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for _ in range(200):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT201", module=("relu", "head"), split="judge", note="a rectifier over log-probabilities")
def relu_of_log_probabilities():
    class Stacked(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(13, 8)
            self.relu = nn.ReLU()
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            h = F.log_softmax(self.first(x), dim=1)
            return self.head(self.relu(h))

    torch.manual_seed(3)
    x, y = wine()
    model = Stacked()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(150):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT201", module=("net.4", "net.5"), split="build", note="the output is rectified and starts below 0")
def rectified_output():
    class Price(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1), nn.ReLU()
            )
            self.net[4].bias.data.fill_(-2.0)

        def forward(self, x):
            return self.net(x)

    torch.manual_seed(4)
    x, _ = diabetes()
    _, y = raw_diabetes()
    y = (y / 100).unsqueeze(1)
    model = Price()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(200):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@sick("UT201", module=("embedding", "fc", "relu"), split="judge", note="small embeddings under a bias of -1")
def embedding_below_threshold():
    class CharModel(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embedding = nn.Embedding(vocab, 12)
            self.fc = nn.Linear(3 * 12, 48)
            self.relu = nn.ReLU()
            self.out = nn.Linear(48, vocab)
            nn.init.normal_(self.embedding.weight, std=0.01)
            nn.init.constant_(self.fc.bias, -1.0)

        def forward(self, x):
            return self.out(self.relu(self.fc(self.embedding(x).flatten(1))))

    torch.manual_seed(5)
    ids, vocab = characters("heapq")
    x, y = ids.unfold(0, 4, 1)[:, :3], ids[3:]
    model = CharModel(vocab)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(200):
        i = torch.randint(len(x), (200,))
        loss = F.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT201", module=("1", "0"), split="build", note="most units of one layer, not all")
def nine_tenths_dead():
    torch.manual_seed(6)
    x, y = moons()
    model = nn.Sequential(nn.Linear(2, 20), nn.ReLU(), nn.Linear(20, 2))
    with torch.no_grad():
        model[0].weight[:19] *= 0.1
        model[0].bias[:19] = -6.0
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(200):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT201", module=("bottleneck", "bottleneck.0", "bottleneck.1"), split="judge", note="a code that is always 0")
def dead_bottleneck():
    class AutoEncoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Sequential(nn.Linear(64, 32), nn.ELU())
            self.bottleneck = nn.Sequential(nn.Linear(32, 8), nn.ReLU())
            self.up = nn.Sequential(nn.Linear(8, 32), nn.ELU(), nn.Linear(32, 64))
            nn.init.constant_(self.bottleneck[0].bias, -4.0)

        def forward(self, x):
            return self.up(self.bottleneck(self.down(x)))

    torch.manual_seed(7)
    x, _ = digits()
    model = AutoEncoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 200)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.mse_loss(model(x[i]), x[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return {"loss": loss.item(), "variance": x.var(0).mean().item()}


@sick("UT201", module=("mlp.1", "mlp.2"), split="build", note="LayerNorm whose bias is far below 0")
def norm_shifted_below_zero():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.mlp = nn.Sequential(nn.Linear(4, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 3))
            nn.init.constant_(self.mlp[1].bias, -8.0)

        def forward(self, x):
            return self.mlp(x)

    torch.manual_seed(8)
    x, y = iris()
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for _ in range(100):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}
