"""Questions that people asked, rebuilt: the loss and the last layer do not fit each other."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digit_images, digits, iris, moons, waves
from ..score import accuracy, hits
from ..table import sick


@sick(
    "UT401",
    split="wild",
    note="the loss stays at 2.30: a softmax before CrossEntropyLoss, a small LeNet",
    cured=(("return torch.softmax(self.fc2(x), dim=1)", "return self.fc2(x)"),),
)
def lenet_that_stays_at_two_thirty():
    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 6, 3)
            self.conv2 = nn.Conv2d(6, 16, 3)
            self.fc1 = nn.Linear(16 * 4 * 4, 60)
            self.fc2 = nn.Linear(60, 10)

        def forward(self, x):
            x = F.relu(self.conv1(x))
            x = F.relu(self.conv2(x))
            x = F.relu(self.fc1(x.flatten(1)))
            return torch.softmax(self.fc2(x), dim=1)  # <- fault

    torch.manual_seed(11)
    images, labels = digit_images()
    loader = DataLoader(TensorDataset(images, labels), batch_size=32, shuffle=True)
    model = LeNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(4):
        for inputs, target in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), target)
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, images, labels), "loss": loss.item()}


@sick(
    "UT401",
    split="wild",
    note="tabular, BCEWithLogitsLoss after a sigmoid: never gets below 0.31",
    cured=(("nn.Linear(24, 1), nn.Sigmoid()", "nn.Linear(24, 1)"),),
)
def sigmoid_before_the_logits_loss():
    torch.manual_seed(12)
    x, y = moons(500, 0.1)
    net = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1), nn.Sigmoid())
    loss_fn = nn.BCEWithLogitsLoss()
    optim = torch.optim.Adam(net.parameters(), lr=0.002)
    y = y.float().unsqueeze(1)
    for step in range(300):
        pick = torch.randint(len(x), (50,))
        loss = loss_fn(net(x[pick]), y[pick])
        optim.zero_grad()
        loss.backward()
        optim.step()
    with torch.no_grad():
        brier = (torch.sigmoid(net(x)) - y).square().mean()
    return {"error": brier.item(), "loss": loss.item()}


@sick(
    "UT402",
    split="wild",
    note="the loss is negative and falls for ever: NLLLoss on bare scores",
    cured=(("return self.out(h)", "return F.log_softmax(self.out(h), dim=-1)"),),
)
def negative_nll():
    class Classifier(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.hidden = nn.Linear(n_in, n_hidden)
            self.out = nn.Linear(n_hidden, n_out)

        def forward(self, x):
            h = torch.relu(self.hidden(x))
            return self.out(h)  # <- fault

    torch.manual_seed(13)
    data, target = digits()
    model = Classifier(64, 50, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    history = []
    for epoch in range(8):
        for idx in torch.randperm(len(data)).split(64):
            optimizer.zero_grad()
            loss = F.nll_loss(model(data[idx]), target[idx])
            loss.backward()
            optimizer.step()
            history.append(loss.item())
    return {"accuracy": accuracy(model, data, target), "loss": history[-1]}


@sick(
    "UT403",
    split="wild",
    note="the loss is 0 from the start: cross entropy over one output of a benign-or-malignant net",
    cured=(("nn.CrossEntropyLoss()", "nn.BCEWithLogitsLoss()"),),
)
def loss_zero_from_the_start():
    torch.manual_seed(14)
    features, diagnosis = cancer()
    target = diagnosis.float().view(-1, 1)
    train_ds = TensorDataset(features[:450], target[:450])
    net = nn.Sequential()
    net.add_module("dense1", nn.Linear(30, 16))
    net.add_module("act1", nn.Tanh())
    net.add_module("head", nn.Linear(16, 1))
    criterion = nn.CrossEntropyLoss()  # <- fault
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(10):
        for xb, yb in DataLoader(train_ds, batch_size=30, shuffle=True):
            opt.zero_grad()
            out = net(xb)
            loss = criterion(out, yb)
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(features[450:]), target[450:]), "loss": loss.item()}


@sick(
    "UT404",
    split="wild",
    note="an LSTM that forecasts the mean while its twin in another library learns: targets without the last axis",
    cured=(("series[:, -1]  # <- fault", "series[:, -1:]"),),
)
def forecaster_that_gives_the_mean():
    class Forecaster(nn.Module):
        def __init__(self, hidden=24):
            super().__init__()
            self.lstm = nn.LSTM(1, hidden, batch_first=True)
            self.decoder = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.decoder(out[:, -1, :])

    torch.manual_seed(15)
    past, following = waves(256, 16)
    series = torch.cat([past.squeeze(-1), following], 1)
    inputs = series[:, :-1].unsqueeze(-1)
    targets = series[:, -1]  # <- fault
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(inputs, targets), batch_size=32, shuffle=True):
            loss = F.mse_loss(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(inputs), following).item(), "loss": loss.item()}


@sick(
    "UT404",
    split="wild",
    note="a loss written by hand, (prediction - y) with a column and a row, diabetes",
    cured=(("model(x[i]) - y[i]", "model(x[i]).squeeze(1) - y[i]"),),
)
def huber_by_hand_on_a_square():
    def pseudo_huber(difference, delta=1.0):
        return (delta**2 * (torch.sqrt(1 + (difference / delta) ** 2) - 1)).mean()

    torch.manual_seed(16)
    x, y = diabetes()
    model = nn.Sequential(nn.Linear(10, 20), nn.LeakyReLU(), nn.Linear(20, 1))
    optimiser = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            loss = pseudo_huber(model(x[i]) - y[i])  # <- fault
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        return {"error": (model(x).squeeze(1) - y).square().mean().item(), "loss": loss.item()}


@sick(
    "UT405",
    split="wild",
    module="decoder.3",
    note="a VAE's grey pictures: pixels normalised to -1..1, a sigmoid as the decoder's end",
    cured=(("nn.Linear(48, 64), nn.Sigmoid()", "nn.Linear(48, 64), nn.Tanh()"),),
)
def vae_of_grey_pictures():
    class VAE(nn.Module):
        def __init__(self, latent=8):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
            self.mu, self.logvar = nn.Linear(48, latent), nn.Linear(48, latent)
            self.decoder = nn.Sequential(nn.Linear(latent, 48), nn.ReLU(), nn.Linear(48, 64), nn.Sigmoid())  # <- fault

        def forward(self, x):
            h = self.encoder(x)
            mu, logvar = self.mu(h), self.logvar(h)
            z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
            return self.decoder(z), mu, logvar

    torch.manual_seed(17)
    pixels, _ = digits()
    pixels = (pixels - 0.5) / 0.5
    vae = VAE()
    opt = torch.optim.Adam(vae.parameters(), lr=2e-3)
    for epoch in range(10):
        for batch in pixels[torch.randperm(len(pixels))].split(64):
            recon, mu, logvar = vae(batch)
            kld = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()
            loss = F.mse_loss(recon, batch, reduction="sum") / len(batch) + 0.1 * kld
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(vae(pixels)[0], pixels).item(), "loss": loss.item()}


@sick(
    "UT405",
    split="wild",
    note="every layer through relu, the last one too, then BCEWithLogitsLoss: never says no",
    cured=(("x = F.relu(layer(x))", "x = layer(x) if layer is self.layers[-1] else F.relu(layer(x))"),),
)
def relu_on_the_logit():
    class Net(nn.Module):
        def __init__(self, sizes):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))

        def forward(self, x):
            for layer in self.layers:
                x = F.relu(layer(x))  # <- fault
            return x

    torch.manual_seed(20)
    x, y = cancer()
    y = y.float()[:, None]
    model = Net([30, 32, 16, 1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(12):
        for b in torch.randperm(569).split(64):
            optimizer.zero_grad()
            loss = criterion(model(x[b]), y[b])
            loss.backward()
            optimizer.step()
    return {"accuracy": hits(model(x), y), "loss": loss.item()}


@sick(
    "UT406",
    split="wild",
    note="softmax over the only output: the probability is always 1",
    cured=(("torch.softmax(self.fc3(x), dim=1)", "torch.sigmoid(self.fc3(x))"),),
)
def probability_always_one():
    class BinaryNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(4, 16)
            self.fc2 = nn.Linear(16, 8)
            self.fc3 = nn.Linear(8, 1)

        def forward(self, x):
            x = torch.relu(self.fc1(x))
            x = torch.relu(self.fc2(x))
            return torch.softmax(self.fc3(x), dim=1)  # <- fault

    torch.manual_seed(19)
    x, species = iris()
    y = (species == 0).float().unsqueeze(1)
    net = BinaryNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(80):
        perm = torch.randperm(150)
        for k in range(0, 150, 75):
            rows = perm[k : k + 75]
            loss = F.binary_cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"accuracy": hits(net(x), y, 0.5), "loss": loss.item()}
