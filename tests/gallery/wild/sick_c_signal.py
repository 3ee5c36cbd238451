"""Questions that people asked, rebuilt: the gradient is cut, dies or overflows on its way."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digit_images, digits, iris
from ..score import accuracy, hits
from ..table import sick
from .data_c import headlines


@sick(
    "UT101",
    split="wild",
    note="five layers of sigmoid units in a document classifier: chance, whatever the optimizer",
    cured=(("nn.Sigmoid()", "nn.ReLU()"),),
)
def documents_through_five_sigmoids():
    torch.manual_seed(51)
    texts, topics = headlines()
    words = sorted({w for text in texts for w in text})
    index = {w: k for k, w in enumerate(words)}
    counts = torch.zeros(len(texts), len(words))
    for row, text in enumerate(texts):
        for w in text:
            counts[row, index[w]] += 1
    layers, width = [], len(words)
    for _ in range(5):
        layers += [nn.Linear(width, 32), nn.Sigmoid()]
        width = 32
    model = nn.Sequential(*layers, nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(15):
        for inputs, targets in DataLoader(TensorDataset(counts, topics), batch_size=32, shuffle=True):
            loss = F.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, counts, topics), "loss": loss.item()}


@sick(
    "UT101",
    split="wild",
    note="a deep VGG-like stack with all weights from N(0, 0.01), as in an older paper, no batch norm",
    cured=(("nn.init.normal_(m.weight, std=0.01)", 'nn.init.kaiming_normal_(m.weight, nonlinearity="relu")'),),
)
def vgg_from_a_hundredth():
    def block(i, o):
        return [nn.Conv2d(i, o, 3, padding=1), nn.ReLU(inplace=True)]

    torch.manual_seed(52)
    images, labels = digit_images()
    vgg = nn.Sequential(
        *block(1, 8),
        *block(8, 8),
        nn.MaxPool2d(2),
        *block(8, 12),
        *block(12, 12),
        *block(12, 12),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 10),
    )
    for m in vgg.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(m.weight, std=0.01)  # <- fault
            nn.init.zeros_(m.bias)
    optimizer = torch.optim.SGD(vgg.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    for epoch in range(4):
        for b in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss = F.cross_entropy(vgg(images[b]), labels[b])
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(vgg, images, labels), "loss": loss.item()}


@sick(
    "UT102",
    split="wild",
    note="normal_(0, 1) on every weight of a deep network without normalisation",
    cured=(("nn.init.normal_(m.weight, 0.0, 1.0)", "nn.init.kaiming_normal_(m.weight)"),),
)
def standard_normal_weights_in_a_deep_net():
    def init_weights(m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0.0, 1.0)  # <- fault
            nn.init.zeros_(m.bias)

    torch.manual_seed(53)
    x, y = digits()
    model = nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), *[m for _ in range(4) for m in (nn.Linear(64, 64), nn.ReLU())], nn.Linear(64, 10)
    )
    model.apply(init_weights)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(8):
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y), "loss": loss.item()}


@sick(
    "UT103",
    split="wild",
    note="'element 0 does not require grad' silenced with a new tensor that does",
    cured=(("loss = torch.tensor(loss.item(), requires_grad=True)", "pass"),),
)
def loss_made_anew():
    torch.manual_seed(54)
    x, y = iris()

    class MLP(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(4, 20), nn.Linear(20, 3)

        def forward(self, x):
            return self.fc2(F.relu(self.fc1(x)))

    model = MLP()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(80):
        out = model(x)
        loss = F.cross_entropy(out, y)
        loss = torch.tensor(loss.item(), requires_grad=True)  # <- fault
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"accuracy": accuracy(model, x, y), "loss": loss.item()}


@sick(
    "UT103",
    split="wild",
    note="predictions rounded to 0 and 1 before the squared error",
    cured=(("torch.round(torch.sigmoid(net(x[i])))", "torch.sigmoid(net(x[i]))"),),
)
def rounded_before_the_loss():
    torch.manual_seed(55)
    x, y = cancer()
    target = y.float().view(-1, 1)
    net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(64):
            pred = torch.round(torch.sigmoid(net(x[i])))  # <- fault
            loss = ((pred - target[i]) ** 2).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), target), "loss": loss.item()}


@sick(
    "UT103",
    split="wild",
    module="cnn",
    note="a CNN before an LSTM, its features taken as .data: only the LSTM learns",
    cured=(("self.cnn(frames.flatten(0, 1)).data", "self.cnn(frames.flatten(0, 1))"),),
)
def cnn_features_taken_as_data():
    class CNNLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.cnn = nn.Sequential(nn.Conv1d(1, 2, 5), nn.ReLU(), nn.MaxPool1d(4))
            self.lstm = nn.LSTM(2, 24, batch_first=True)
            self.fc = nn.Linear(24, 10)

        def forward(self, frames):
            f = self.cnn(frames.flatten(0, 1)).data  # <- fault
            h, _ = self.lstm(f.view(len(frames), 8, 2))
            return self.fc(h[:, -1])

    torch.manual_seed(56)
    images, labels = digit_images()
    rows = images.view(-1, 8, 1, 8)
    model = CNNLSTM()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.006)
    for epoch in range(10):
        for b in torch.randperm(len(rows)).split(64):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(rows[b]), labels[b])
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, rows, labels), "loss": loss.item()}


@sick(
    "UT104",
    split="wild",
    note="float16 autocast without a scaler, a loss that is weighted with 1e-5 among others",
    cured=(("loss.backward()", "(loss * 1e5).backward()"),),
)
def autocast_without_a_scaler():
    torch.manual_seed(57)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(4):
        for rows in torch.randperm(len(x)).split(64):
            with torch.autocast("cpu", dtype=torch.float16):
                logits = model(x[rows])
                loss = 1e-5 * F.cross_entropy(logits.float(), y[rows])
            optimizer.zero_grad()
            loss.backward()  # <- fault
            optimizer.step()
    return {"accuracy": accuracy(model, x, y), "loss": loss.item()}


@sick(
    "UT105",
    split="wild",
    module="attn",
    note="attention written by hand: no division by the root of the width, embeddings times that root",
    cured=(("scores = q @ k.transpose(-2, -1)", "scores = q @ k.transpose(-2, -1) / 8"), (" * 64**0.5", "")),
)
def attention_without_the_root():
    class SelfAttention(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))

        def forward(self, x):
            q, k, v = self.q(x), self.k(x), self.v(x)
            scores = q @ k.transpose(-2, -1)  # <- fault
            return torch.softmax(scores, dim=-1) @ v

    class Counter(nn.Module):
        def __init__(self, d=64):
            super().__init__()
            self.emb = nn.Embedding(6, d)
            self.attn = SelfAttention(d)
            self.out = nn.Linear(d, 1)

        def forward(self, t):
            x = self.emb(t) * 64**0.5
            return self.out(self.attn(x)[:, 0]).squeeze(-1)

    torch.manual_seed(58)
    tokens = torch.randint(6, (512, 12))
    share = (tokens == 2).float().sum(1)
    share = (share - share.mean()) / share.std()
    model = Counter()
    opt = torch.optim.Adam(model.parameters(), lr=3e-4)
    for epoch in range(25):
        for b in torch.randperm(512).split(64):
            loss = F.mse_loss(model(tokens[b]), share[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(tokens), share).item()}


@sick(
    "UT107",
    split="wild",
    module=("features", "features.0", "features.3"),
    note="feature extraction with pretrained=False: a frozen backbone as it was made",
    cured=(("p.requires_grad = False", "p.requires_grad = True"),),
)
def frozen_backbone_never_loaded():
    class SmallVGG(nn.Module):
        def __init__(self, classes, pretrained=False):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten()
            )
            self.classifier = nn.Linear(6, classes)

        def forward(self, x):
            return self.classifier(self.features(x))

    torch.manual_seed(59)
    images, labels = digit_images()
    net = SmallVGG(10, pretrained=False)
    for p in net.features.parameters():
        p.requires_grad = False  # <- fault
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.01)
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(images, labels), batch_size=64, shuffle=True):
            loss = F.cross_entropy(net(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, images, labels), "loss": loss.item()}
