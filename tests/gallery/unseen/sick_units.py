"""Units that are dead or saturated, as other people might meet them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, characters, digit_images, digits, first_symbol
from ..score import accuracy, hits
from ..table import sick


@sick("UT201", module=("reduce", "expand", ""), split="unseen", note="a rectifier over a negated rectifier is always 0")
def rectified_with_the_wrong_sign():
    class Squeeze(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Conv2d(1, 12, 3, stride=2, padding=1)
            self.reduce = nn.Linear(192, 24)
            self.expand = nn.Linear(24, 10)

        def forward(self, img):
            f = F.relu(self.features(img)).flatten(1)
            suppressed = -F.relu(self.reduce(f))
            return self.expand(F.relu(suppressed))

    torch.manual_seed(201)
    img, digit = digit_images()
    model = Squeeze()
    opt = torch.optim.NAdam(model.parameters(), lr=2e-3)
    for epoch in range(6):
        model.train()
        for start in range(0, len(img), 128):
            opt.zero_grad()
            loss = F.cross_entropy(model(img[start : start + 128]), digit[start : start + 128])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, img, digit)}


@sick("UT201", module=("dense", "rect", "bag"), split="unseen", note="a bag of words under thresholds of -3")
def thresholds_above_every_bag():
    class BagOfLetters(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.bag = nn.EmbeddingBag(vocab, 16, mode="mean")
            self.dense = nn.Linear(16, 20)
            self.rect = nn.ReLU()
            self.vowel = nn.Linear(20, 2)
            nn.init.constant_(self.dense.bias, -3)

        def forward(self, letters):
            return self.vowel(self.rect(self.dense(self.bag(letters))))

    torch.manual_seed(202)
    ids, vocab = characters("heapq")
    windows = ids.unfold(0, 6, 2)
    common = ids.bincount().argmax()
    answer = ((windows == common).sum(1) > 0).long()
    model = BagOfLetters(vocab)
    opt = torch.optim.Adagrad(model.parameters(), lr=0.02)
    for _ in range(150):
        pick = torch.randint(len(windows), (64,))
        loss = F.cross_entropy(model(windows[pick]), answer[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, windows, answer)}


@sick("UT201", module=("enc2", "act2"), split="unseen", note="negative kernels over rectified maps: the code is 0")
def negative_kernels():
    class ConvAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc1, self.act1 = nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU()
            self.enc2, self.act2 = nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU()
            self.dec1 = nn.ConvTranspose2d(8, 8, 2, stride=2)
            self.dec2 = nn.ConvTranspose2d(8, 1, 2, stride=2)
            with torch.no_grad():
                self.enc2.weight.copy_(-torch.rand_like(self.enc2.weight) * 0.3)
                self.enc2.bias.fill_(-0.1)

        def forward(self, img):
            code = self.act2(self.enc2(self.act1(self.enc1(img))))
            return self.dec2(F.elu(self.dec1(code)))

    torch.manual_seed(203)
    img, _ = digit_images()
    ae = ConvAE()
    optimizer = torch.optim.Adam(ae.parameters(), lr=3e-3)
    criterion = nn.MSELoss()
    for (batch,) in DataLoader(TensorDataset(img.repeat(3, 1, 1, 1)), batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(ae(batch), batch)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "variance": img.var(0).mean().item()}


@sick(
    "UT202",
    module=("cell", ""),
    split="unseen",
    note="input weights of a GRU cell times 80 push its gates to the walls",
)
def gates_at_the_walls():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(4, 24)
            self.tag = nn.Linear(24, 4)
            with torch.no_grad():
                self.cell.weight_ih.mul_(80)
                self.cell.weight_hh.mul_(80)

        def forward(self, seq):
            memory = torch.zeros(len(seq), 24)
            for t in range(seq.size(1)):
                memory = self.cell(seq[:, t], memory)
            return self.tag(memory)

    torch.manual_seed(204)
    seq, first = first_symbol(800, 8)
    model = Tagger()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        pick = torch.randint(800, (80,))
        opt.zero_grad()
        loss = F.cross_entropy(model(seq[pick]), first[pick])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, seq, first)}


@sick("UT202", module=("a", "b", "c", ""), split="unseen", note="a slope of 60 inside every tanh")
def steep_tanh():
    class Steep(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(30, 20)
            self.b = nn.Linear(20, 20)
            self.c = nn.Linear(20, 20)
            self.out = nn.Linear(20, 1)
            self.slope = 60.0

        def forward(self, row):
            row = torch.tanh(self.slope * self.a(row))
            row = torch.tanh(self.slope * self.b(row))
            row = torch.tanh(self.slope * self.c(row))
            return self.out(row)

    torch.manual_seed(205)
    row, label = cancer()
    label = label.float().view(-1, 1)
    train, test = torch.randperm(569).split([400, 169])
    model = Steep()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(25):
        for batch in train[torch.randperm(400)].split(50):
            loss = F.binary_cross_entropy_with_logits(model(row[batch]), label[batch])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {
        "loss": loss.item(),
        "train": hits(model(row[train]), label[train]),
        "test": hits(model(row[test]), label[test]),
    }


@sick(
    "UT202",
    module=("encode", "encode.0", "encode.1", "encode.2", "encode.3"),
    split="unseen",
    note="tanh code, weights of std 10",
)
def code_of_large_weights():
    class Compressor(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 8), nn.Tanh())
            self.decode = nn.Sequential(nn.Linear(8, 64))
            for layer in (self.encode[0], self.encode[2]):
                nn.init.normal_(layer.weight, 0, 10)

        def forward(self, image):
            return self.decode(self.encode(image))

    torch.manual_seed(206)
    image, _ = digits()
    model = Compressor()
    opt = torch.optim.Adamax(model.parameters(), lr=0.01)
    for step in range(250):
        batch = image[torch.randint(len(image), (64,))]
        loss = (model(batch) - batch).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": image.var(0).mean().item()}
