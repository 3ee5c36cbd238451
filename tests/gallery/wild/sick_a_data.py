"""Faults of inputs, targets and the order of batches, in tables and pictures."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ..data import cancer, digits, digits_255, standardized
from ..score import accuracy, hits
from ..table import sick
from .data_a import discs, figures, flats, frauds, tags


@sick(
    "UT501",
    split="wild",
    note="wine as measured, one column in the hundreds",
    cured=(("torch.tensor(x, dtype=torch.float32)", "standardized(torch.tensor(x, dtype=torch.float32))"),),
)
def wine_cultivars_as_measured():
    torch.manual_seed(0)
    x, y = load_wine(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32)  # <- fault
    y = torch.tensor(y)
    tr, te = train_test_split(np.arange(len(x)), test_size=0.3, random_state=0, stratify=y)
    tr, te = torch.tensor(tr), torch.tensor(te)
    net = nn.Sequential(nn.Linear(13, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 3))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(60):
        for idx in tr[torch.randperm(len(tr))].split(32):
            optimizer.zero_grad()
            loss = criterion(net(x[idx]), y[idx])
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x[te], y[te]), "loss": loss.item()}


@sick(
    "UT501",
    split="wild",
    note="rents from metres, euros and years together",
    cured=(("x, rent = flats()", "x, rent = flats(); x = standardized(x)"),),
)
def rents_from_mixed_units():
    class Regressor(nn.Module):
        def __init__(self, n_in, width=48):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(n_in, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
            self.head = nn.Linear(width, 1)

        def forward(self, x):
            return self.head(self.body(x))

    torch.manual_seed(1)
    x, rent = flats()
    y = standardized(rent)
    train = DataLoader(TensorDataset(x[:480], y[:480]), batch_size=48, shuffle=True)
    model = Regressor(x.shape[1])
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(30):
        for xb, yb in train:
            loss = F.mse_loss(model(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(x[480:]), y[480:]).item()}


@sick(
    "UT501",
    split="wild",
    note="pixels up to 255 into a plain convolutional network, SGD",
    cured=(("images.view(-1, 1, 8, 8)", "images.view(-1, 1, 8, 8) / 255"),),
)
def lenet_on_bytes():
    class LeNetish(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
            self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
            self.fc1 = nn.Linear(16 * 4, 48)
            self.fc2 = nn.Linear(48, 10)

        def forward(self, x):
            x = F.max_pool2d(torch.relu(self.conv1(x)), 2)
            x = F.max_pool2d(torch.relu(self.conv2(x)), 2)
            return self.fc2(torch.relu(self.fc1(x.flatten(1))))

    torch.manual_seed(2)
    images, labels = digits_255()
    images = images.view(-1, 1, 8, 8)
    net = LeNetish()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.5)
    for step in range(250):
        pick = torch.randint(1400, (64,))
        loss = F.cross_entropy(net(images[pick]), labels[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, images[1400:], labels[1400:])}


@sick(
    "UT502",
    split="wild",
    note="pictures in 0..1 scaled to 0..1 once more through bytes, which leaves zeros",
    cured=((".to(torch.uint8)", ""), ("/ 255.0", "")),
)
def figures_through_bytes():
    class Pictures(Dataset):
        def __init__(self, images, kinds):
            self.images, self.kinds = images.to(torch.uint8), kinds  # <- fault

        def __len__(self):
            return len(self.kinds)

        def __getitem__(self, i):
            return self.images[i].float() / 255.0, self.kinds[i]

    torch.manual_seed(3)
    images, kinds = figures()
    loader = DataLoader(Pictures(images * 0.99, kinds), batch_size=50, shuffle=True)
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 4),
    )
    optim = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(12):
        for x, k in loader:
            optim.zero_grad()
            F.cross_entropy(net(x), k).backward()
            optim.step()
    right = [(net(x).argmax(1) == k).float().mean() for x, k in loader]
    return {"accuracy": torch.stack(right).mean().item()}


@sick(
    "UT502",
    split="wild",
    note="the bounds of clamp the wrong way round: each value is -5",
    cured=(("x.clamp(5, -5)", "x.clamp(-5, 5)"),),
)
def tumours_clipped_flat():
    torch.manual_seed(4)
    x, y = cancer()
    x = x.clamp(5, -5)  # <- fault
    y = y.float().unsqueeze(1)
    clf = nn.Sequential(nn.Linear(30, 24), nn.ELU(), nn.Linear(24, 1))
    opt = torch.optim.RMSprop(clf.parameters(), lr=2e-3)
    for epoch in range(20):
        for b in torch.randperm(len(x)).split(57):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(clf(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": hits(clf(x), y)}


@sick(
    "UT503",
    split="wild",
    note="masks of 0 and 255 for a binary cross-entropy",
    cured=(("mask * 255", "mask"),),
)
def discs_with_masks_of_bytes():
    def block(a, b):
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True))

    torch.manual_seed(5)
    image, mask = discs()
    target = mask * 255
    net = nn.Sequential(block(1, 12), block(12, 12), nn.Conv2d(12, 1, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(150):
        i = torch.randint(260, (24,))
        loss = F.binary_cross_entropy_with_logits(net(image[i]), target[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    seen = net(image[260:]) > 0
    truth = mask[260:] > 0.5
    return {"accuracy": ((seen & truth).sum() / (seen | truth).sum()).item()}


@sick(
    "UT503",
    split="wild",
    note="labels of -1 and 1 for BCEWithLogitsLoss",
    cured=(("labels * 2 - 1", "labels"),),
)
def tags_of_minus_one():
    torch.manual_seed(6)
    x, labels = tags()
    y = labels * 2 - 1
    model = nn.Sequential(nn.Linear(20, 64), nn.GELU(), nn.Linear(64, 5))
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scheduler = CosineAnnealingLR(optimizer, 25)
    for epoch in range(25):
        for batch in torch.randperm(560).split(56):
            optimizer.zero_grad()
            loss = criterion(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
        scheduler.step()
    return {"accuracy": hits(model(x[560:]), labels[560:]), "loss": loss.item()}


@sick(
    "UT504",
    split="wild",
    note="a threshold on standardized values meant for raw ones: every label is 0",
    cured=(("> 1000", "> rent.median()"),),
)
def dear_flats_of_a_wrong_threshold():
    torch.manual_seed(7)
    x, rent = flats()
    x = standardized(x)
    rent = (rent - rent.mean()) / rent.std()
    dear = (rent > 1000).float()  # <- fault
    truth = rent > rent.median()
    net = nn.Sequential(nn.Linear(6, 32), nn.LeakyReLU(), nn.Linear(32, 1), nn.Sigmoid())
    opt = torch.optim.Adagrad(net.parameters(), lr=0.03)
    for epoch in range(25):
        for b in torch.randperm(600).split(60):
            opt.zero_grad()
            F.binary_cross_entropy(net(x[b]), dear[b]).backward()
            opt.step()
    return {"accuracy": hits(net(x), truth, 0.5)}


@sick(
    "UT505",
    split="wild",
    note="four frauds in a hundred, no weighting; what counts is the mean of both recalls",
    cured=(("nn.BCEWithLogitsLoss()", "nn.BCEWithLogitsLoss(pos_weight=torch.tensor(24.0))"),),
)
def frauds_few_and_unweighted():
    torch.manual_seed(8)
    x, y = frauds()
    train_x, train_y, test_x, test_y = x[:1000], y[:1000], x[1000:], y[1000:]
    net = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 1))
    criterion = nn.BCEWithLogitsLoss()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for epoch in range(12):
        net.train()
        for b in torch.randperm(1000).split(50):
            opt.zero_grad()
            criterion(net(train_x[b]).squeeze(1), train_y[b]).backward()
            opt.step()
    net.eval()
    with torch.no_grad():
        caught = net(test_x).squeeze(1) > 0
    recall = caught[test_y == 1].float().mean() + (~caught[test_y == 0]).float().mean()
    return {"accuracy": recall.item() / 2}


@sick(
    "UT506",
    split="wild",
    note="next(iter(loader)) in the loop, with a loader that does not shuffle",
    cured=(("batch_size=32)", "batch_size=32, shuffle=True)"),),
)
def digits_of_the_first_batch():
    torch.manual_seed(9)
    x, y = digits()
    loader = DataLoader(TensorDataset(x[:1500], y[:1500]), batch_size=32)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)
    for step in range(200):
        xb, yb = next(iter(loader))  # <- fault
        optimizer.zero_grad()
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
    return {"accuracy": accuracy(model, x[1500:], y[1500:]), "loss": loss.item()}
