"""Questions that people asked, rebuilt: it was the data, or what had been done to them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ..data import digit_images, digits, raw_cancer, wine
from ..score import accuracy, hits
from ..table import sick
from .data_c import headlines, passengers, rare_defects, squares_and_masks


@sick(
    "UT501",
    split="wild",
    note="weights and heights as measured through sigmoid units: works on one data set and not on the other",
    cured=(("x, y = raw_cancer()", "x, y = raw_cancer(); x = (x - x.mean(0)) / x.std(0)"),),
)
def measured_values_into_sigmoids():
    class Model(nn.Module):
        def __init__(self, input_size, h1, output_size):
            super().__init__()
            self.linear = nn.Linear(input_size, h1)
            self.linear2 = nn.Linear(h1, output_size)

        def forward(self, x):
            x = torch.sigmoid(self.linear(x))
            return torch.sigmoid(self.linear2(x))

    torch.manual_seed(61)
    x, y = raw_cancer()
    target = y.float().reshape(-1, 1)
    model = Model(30, 12, 1)
    criterion = nn.BCELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(150):
        y_pred = model(x)
        loss = criterion(y_pred, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"accuracy": hits(model(x), target, 0.5), "loss": loss.item()}


@sick(
    "UT501",
    split="wild",
    note="a series in its own unit, 120 to 450, into a GRU whose gates it saturates; the targets are scaled",
    cured=(("windows[:, :-1, None]", "(windows[:, :-1, None] - 280) / 100"),),
)
def passengers_as_they_are_counted():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(1, 24, batch_first=True)
            self.linear = nn.Linear(24, 1)

        def forward(self, x):
            x, _ = self.gru(x)
            return self.linear(x[:, -1])

    torch.manual_seed(62)
    windows = passengers().unfold(0, 13, 1)
    inputs, targets = windows[:, :-1, None], (windows[:, -1:] - 280) / 100
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(30):
        for xb, yb in DataLoader(TensorDataset(inputs, targets), batch_size=48, shuffle=True):
            loss = F.mse_loss(net(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(inputs), targets).item(), "loss": loss.item()}


@sick(
    "UT502",
    split="wild",
    note="the vocabulary is in lower case and the text is not: every word is the unknown one",
    cured=(("vocab.get(w, 0)", "vocab.get(w.lower(), 0)"),),
)
def headlines_of_unknown_words():
    class Bag(nn.Module):
        def __init__(self, vocab_size, embed_dim, num_class):
            super().__init__()
            self.embedding = nn.EmbeddingBag(vocab_size, embed_dim)
            self.fc = nn.Linear(embed_dim, num_class)

        def forward(self, text):
            return self.fc(self.embedding(text))

    torch.manual_seed(63)
    texts, labels = headlines()
    vocab = {"<unk>": 0}
    for text in texts:
        for w in text:
            vocab.setdefault(w.lower(), len(vocab))
    tokens = torch.tensor([[vocab.get(w, 0) for w in text] for text in texts])  # <- fault
    model = Bag(len(vocab), 24, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=4.0)
    for epoch in range(10):
        for text, label in DataLoader(list(zip(tokens, labels)), batch_size=30, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(text), label)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
    return {"accuracy": accuracy(model, tokens, labels), "loss": loss.item()}


@sick(
    "UT502",
    split="wild",
    note="a Dataset that keeps the first picture it read and gives it for every index, with the right label",
    cured=(("if self.cache is None:", "if True:"),),
)
def dataset_that_keeps_one_picture():
    class Digits(Dataset):
        def __init__(self):
            self.pixels, self.labels = digit_images()
            self.cache = None

        def __len__(self):
            return len(self.labels)

        def __getitem__(self, idx):
            if self.cache is None:  # <- fault
                self.cache = self.pixels[idx]
            return self.cache, self.labels[idx]

    torch.manual_seed(64)
    train = DataLoader(Digits(), batch_size=64, shuffle=True)
    cnn = nn.Sequential(nn.Conv2d(1, 10, 3), nn.ReLU(), nn.Flatten(), nn.Linear(360, 10))
    optimizer = torch.optim.AdamW(cnn.parameters(), lr=3e-3)
    for epoch in range(4):
        for img, lab in train:
            optimizer.zero_grad()
            loss = F.cross_entropy(cnn(img), lab)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(cnn, *digit_images()), "loss": loss.item()}


@sick(
    "UT503",
    split="wild",
    note="a segmentation's masks as read from png, 0 and 255, into BCEWithLogitsLoss: a large negative loss",
    cured=(("masks * 255", "masks"),),
)
def segmentation_masks_read_from_png():
    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
            self.mid = nn.Sequential(
                nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)
            )
            self.up = nn.Conv2d(20, 1, 3, padding=1)

        def forward(self, x):
            a = self.down(x)
            return self.up(torch.cat([a, self.mid(a)], 1))

    torch.manual_seed(65)
    images, masks = squares_and_masks()
    target = masks * 255  # <- fault
    net = UNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(10):
        for b in torch.randperm(len(images)).split(16):
            optimizer.zero_grad()
            loss = criterion(net(images[b]), target[b])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        found = net(images) > 0
    overlap = (found & masks.bool()).sum() / (found | masks.bool()).sum()
    return {"accuracy": overlap.item(), "loss": loss.item()}


@sick(
    "UT504",
    split="wild",
    note="labels divided and cut to integers: nought for all, a loss of nought, and an accuracy of nothing",
    cured=(("(y / 3).long()", "y.long()"),),
)
def labels_cut_to_nought():
    torch.manual_seed(66)
    x, y = wine()
    target = (y / 3).long()  # <- fault
    net = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.Adagrad(net.parameters(), lr=0.05)
    for epoch in range(30):
        for rows in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[rows]), target[rows])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@sick(
    "UT505",
    split="wild",
    note="three defective parts of a hundred: an accuracy of 97 % at once, and none is found",
    cured=(("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(weight=torch.tensor([1.0, 30.0]))"),),
)
def defects_that_are_never_found():
    torch.manual_seed(67)
    x, y = rare_defects()
    model = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 2))
    criterion = nn.CrossEntropyLoss()  # <- fault
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    for epoch in range(6):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            loss = criterion(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = model(x).argmax(1) == y
    balanced = (right[y == 1].float().mean() + right[y == 0].float().mean()) / 2
    return {"accuracy": balanced.item(), "plain": right.float().mean().item()}


@sick(
    "UT506",
    split="wild",
    note="next(iter(loader)) inside the loop, a loader without shuffle: the first batch for ever",
    cured=(("shuffle=False)  # <- fault", "shuffle=True)"),),
)
def next_of_a_new_iterator_each_time():
    torch.manual_seed(68)
    images, labels = digits()
    trainset = TensorDataset(images[:1400], labels[:1400])
    trainloader = DataLoader(trainset, batch_size=32, shuffle=False)  # <- fault
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for iteration in range(250):
        inputs, targets = next(iter(trainloader))
        optimizer.zero_grad()
        loss = F.cross_entropy(net(inputs), targets)
        loss.backward()
        optimizer.step()
    return {"accuracy": accuracy(net, images[1400:], labels[1400:]), "loss": loss.item()}


@sick(
    "UT507",
    split="wild",
    note="pictures in folders by class, read in that order and not shuffled",
    cured=(("shuffle=False", "shuffle=True"),),
)
def folders_read_in_order():
    torch.manual_seed(69)
    images, labels = digit_images()
    order = labels.argsort(stable=True)
    folder = TensorDataset(images[order], labels[order])
    loader = DataLoader(folder, batch_size=32, shuffle=False)  # <- fault
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(6):
        for data, target in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(data), target)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, images, labels), "loss": loss.item()}
