"""Image classifiers, autoencoders and segmenters with one thing wrong."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy
from ..table import sick


@sick(
    "UT601",
    split="late",
    note="put into eval mode for a first check and never back",
    cured=(("    model.eval()\n", "    model.train()\n"),),
)
def batch_norm_stack_left_in_eval():
    def block(a, b):
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

    torch.manual_seed(30)
    x, y = digit_images()
    model = nn.Sequential(
        block(1, 8), block(8, 8), nn.MaxPool2d(2), *[block(8, 8) for _ in range(6)], nn.Flatten(), nn.Linear(128, 10)
    )
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    model.eval()
    with torch.no_grad():
        assert model(x[:2]).shape == (2, 10)
    for step in range(120):
        i = torch.randint(1500, (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(model, x[1500:], y[1500:])}


@sick(
    "UT602",
    split="late",
    note="two images to a batch and batch norm in every block",
    cured=(("batch_size=2,", "batch_size=32,"), ("epochs = 1", "epochs = 8")),
)
def batch_norm_of_pairs():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16)
            )
            self.fc1 = nn.Linear(16, 32)
            self.bn = nn.BatchNorm1d(32)
            self.fc2 = nn.Linear(32, 10)

        def forward(self, x):
            x = F.relu(self.features(x)).flatten(1)
            return self.fc2(F.relu(self.bn(self.fc1(x))))

    torch.manual_seed(31)
    x, y = digit_images()
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=2, shuffle=True)
    epochs = 1
    for epoch in range(epochs):
        net.train()
        for images, labels in loader:
            loss = F.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x[1200:], y[1200:])}


@sick(
    "UT603",
    split="late",
    note="dropout of 0.9 after each convolution; keep and drop probability confused",
    cured=(("keep = 0.9", "keep = 0.1"),),
)
def convnet_dropping_nine_of_ten():
    torch.manual_seed(32)
    x, y = digit_images()
    keep = 0.9
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.Dropout(keep),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.Dropout(keep),
        nn.Flatten(),
        nn.Linear(24 * 16, 32),
        nn.ReLU(),
        nn.Dropout(keep),
        nn.Linear(32, 10),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(5):
        net.train()
        for i in torch.randperm(1500).split(64):
            optimizer.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            optimizer.step()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}


@sick(
    "UT203",
    split="late",
    module="fc1",
    note="all weights filled with one constant",
    cured=(("nn.init.constant_(layer.weight, 0.05)", "nn.init.xavier_uniform_(layer.weight)"),),
)
def constant_filled_classifier():
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.out = nn.Linear(64, 40), nn.Linear(40, 40), nn.Linear(40, 10)
            for layer in (self.fc1, self.fc2):
                nn.init.constant_(layer.weight, 0.05)  # <- fault
                nn.init.zeros_(layer.bias)

        def forward(self, x):
            return self.out(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))

    torch.manual_seed(33)
    x, y = digits()
    net = Classifier()
    opt = torch.optim.Adagrad(net.parameters(), lr=0.02)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(90):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT503",
    split="late",
    note="masks of 0 and 255 for a binary cross-entropy",
    cured=(("masks = mask_files", "masks = mask_files / 255"),),
)
def disc_masks_as_stored():
    torch.manual_seed(34)
    n, size = 240, 16
    rows = torch.arange(size).float()
    centre, radius = 4 + 8 * torch.rand(n, 2), 2 + 3 * torch.rand(n)
    distance = (rows[:, None] - centre[:, 0, None, None]) ** 2 + (rows - centre[:, 1, None, None]) ** 2
    disc = distance < radius[:, None, None] ** 2
    images = (disc * 0.6 + 0.2 + 0.25 * torch.randn(n, size, size))[:, None]
    mask_files = disc[:, None] * 255.0
    masks = mask_files
    unet = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 1, 1)
    )
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(unet.parameters(), lr=2e-3)
    for epoch in range(12):
        for i in torch.randperm(200).split(20):
            loss = criterion(unet(images[i]), masks[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        found = unet(images[200:]) > 0
    both, either = (found & disc[200:, None]).sum(), (found | disc[200:, None]).sum()
    return {"accuracy": (both / either).item()}


@sick(
    "UT405",
    split="late",
    note="a sigmoid at the end of a denoiser whose images are standardized",
    cured=(("nn.Sigmoid()", "nn.Identity()"),),
)
def sigmoid_over_standardized_images():
    class Denoiser(nn.Module):
        def __init__(self, hidden=96):
            super().__init__()
            self.encode = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 24))
            self.decode = nn.Sequential(nn.Linear(24, hidden), nn.ReLU(), nn.Linear(hidden, 64), nn.Sigmoid())

        def forward(self, x):
            return self.decode(self.encode(x))

    torch.manual_seed(35)
    x, _ = digits()
    x = (x - x.mean()) / x.std()
    model = Denoiser()
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(64):
            loss = F.mse_loss(model(x[i] + 0.2 * torch.randn_like(x[i])), x[i])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return {"error": F.mse_loss(model(x), x).item()}


@sick(
    "UT107",
    split="late",
    module="backbone",
    note="the backbone is frozen as for fine-tuning, but no weights were ever loaded",
    cured=(("p.requires_grad = False", "p.requires_grad = True"),),
)
def frozen_backbone_without_weights():
    class Tuned(nn.Module):
        def __init__(self, pretrained=None):
            super().__init__()
            self.backbone = nn.Sequential(
                nn.Conv2d(1, 8, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(8, 8, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(8, 12, 2),
                nn.ReLU(),
                nn.Flatten(),
            )
            if pretrained is not None:
                self.backbone.load_state_dict(pretrained)
            for p in self.backbone.parameters():
                p.requires_grad = False  # <- fault
            self.head = nn.Linear(12, 10)

        def forward(self, x):
            return self.head(self.backbone(x))

    torch.manual_seed(36)
    x, y = digit_images()
    model = Tuned()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    for epoch in range(8):
        for i in torch.randperm(1500).split(50):
            optimizer.zero_grad()
            F.cross_entropy(model(x[i]), y[i]).backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x[1500:], y[1500:])}


@sick(
    "UT406",
    split="late",
    note="global pooling over the batch instead of over the positions",
    cured=(("maps.mean(0).expand(len(x), -1, -1).flatten(1)", "maps.flatten(1)"),),
)
def pooling_the_wrong_axis_of_maps():
    class PoolNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
            self.conv2 = nn.Conv2d(16, 16, 3, stride=2, padding=1)
            self.fc = nn.Linear(16 * 16, 10)

        def forward(self, x):
            maps = F.relu(self.conv2(F.relu(self.conv1(x)))).flatten(2)
            pooled = maps.mean(0).expand(len(x), -1, -1).flatten(1)  # <- fault
            return self.fc(pooled)

    torch.manual_seed(37)
    x, y = digit_images()
    net = PoolNet()
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(150):
        i = torch.randint(1500, (64,))
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}
