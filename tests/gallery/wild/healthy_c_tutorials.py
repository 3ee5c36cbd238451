"""What tutorials do, rebuilt small: classifiers, sequences, generators."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, digit_images, digits
from ..score import accuracy, matches
from ..table import healthy
from .data_c import headlines


@healthy(
    split="wild", odd="the MNIST example: dropout, log_softmax with nll_loss, Adadelta at 1.0, StepLR of 0.7 an epoch"
)
def mnist_example_with_adadelta():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 12, 3, 1)
            self.conv2 = nn.Conv2d(12, 16, 3, 1)
            self.dropout1 = nn.Dropout(0.25)
            self.dropout2 = nn.Dropout(0.5)
            self.fc1 = nn.Linear(16 * 4, 64)
            self.fc2 = nn.Linear(64, 10)

        def forward(self, x):
            x = F.relu(self.conv1(x))
            x = F.relu(self.conv2(x))
            x = self.dropout1(F.max_pool2d(x, 2))
            x = self.dropout2(F.relu(self.fc1(torch.flatten(x, 1))))
            return F.log_softmax(self.fc2(x), dim=1)

    torch.manual_seed(101)
    images, labels = digit_images()
    order = torch.randperm(len(labels))
    images, labels = (images[order] - 0.3) / 0.37, labels[order]
    model = Net()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    for epoch in range(6):
        model.train()
        for data, target in DataLoader(TensorDataset(images[:1200], labels[:1200]), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = F.nll_loss(model(data), target)
            loss.backward()
            optimizer.step()
        scheduler.step()
    return {"accuracy": accuracy(model, images[1200:], labels[1200:]), "loss": loss.item()}


@healthy(split="wild", odd="the blitz classifier: SGD 0.01 with momentum and batches of four, a noisy loss")
def blitz_classifier_with_batches_of_four():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 6, 3, padding=1)
            self.pool = nn.MaxPool2d(2, 2)
            self.conv2 = nn.Conv2d(6, 16, 3)
            self.fc1 = nn.Linear(64, 60)
            self.fc2 = nn.Linear(60, 10)

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = F.relu(self.conv2(x)).flatten(1)
            return self.fc2(F.relu(self.fc1(x)))

    torch.manual_seed(102)
    images, labels = digit_images()
    order = torch.randperm(len(labels))
    images, labels = (images[order] - 0.5) / 0.5, labels[order]
    loader = DataLoader(TensorDataset(images[:1200], labels[:1200]), batch_size=4, shuffle=True)
    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.004, momentum=0.9)
    for epoch in range(2):
        running_loss = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(net(inputs), targets)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
    return {"accuracy": accuracy(net, images[1200:], labels[1200:]), "loss": running_loss / len(loader)}


@healthy(split="wild", odd="a sine fitted by a cubic whose powers are not scaled, -31 to 31 the largest, and RMSprop")
def sine_by_a_cubic():
    torch.manual_seed(103)
    x = torch.linspace(-math.pi, math.pi, 500)
    y = torch.sin(x)
    xx = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2)
    for t in range(500):
        loss = loss_fn(model(xx), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"error": loss.item()}


@healthy(
    split="wild", odd="character model, the hidden state carried over and detached; loss of one text of 850 letters"
)
def char_rnn_with_carried_state():
    class RNN(nn.Module):
        def __init__(self, n, hidden=96):
            super().__init__()
            self.encoder = nn.Embedding(n, 32)
            self.rnn = nn.GRU(32, hidden)
            self.decoder = nn.Linear(hidden, n)

        def forward(self, x, hidden=None):
            out, hidden = self.rnn(self.encoder(x), hidden)
            return self.decoder(out), hidden

    torch.manual_seed(104)
    text, n = characters("zen")
    usable = (len(text) - 1) // 8 * 8
    source, target = text[:usable].view(8, -1).t(), text[1 : usable + 1].view(8, -1).t()
    model = RNN(n)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(18):
        hidden = None
        for chunk in range(0, len(source), 20):
            if hidden is not None:
                hidden = hidden.detach()
            out, hidden = model(source[chunk : chunk + 20], hidden)
            loss = F.cross_entropy(out.flatten(0, 1), target[chunk : chunk + 20].flatten())
            optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    with torch.no_grad():
        return {"accuracy": matches(model(source)[0], target), "loss": loss.item()}


@healthy(
    split="wild",
    odd="seq2seq with attention over a reversed source, teacher forcing at every other step",
)
def reversing_seq2seq_with_attention():
    class Encoder(nn.Module):
        def __init__(self, n, h):
            super().__init__()
            self.embedding = nn.Embedding(n, h)
            self.gru = nn.GRU(h, h, batch_first=True)

        def forward(self, x):
            return self.gru(self.embedding(x))

    class AttnDecoder(nn.Module):
        def __init__(self, n, h):
            super().__init__()
            self.embedding = nn.Embedding(n, h)
            self.Wa, self.Ua, self.Va = nn.Linear(h, h), nn.Linear(h, h), nn.Linear(h, 1)
            self.gru = nn.GRU(2 * h, h, batch_first=True)
            self.out = nn.Linear(h, n)

        def step(self, token, hidden, memory):
            query = hidden.transpose(0, 1)
            weights = self.Va(torch.tanh(self.Wa(query) + self.Ua(memory))).softmax(1)
            context = (weights * memory).sum(1, keepdim=True)
            out, hidden = self.gru(torch.cat([self.embedding(token), context], -1), hidden)
            return F.log_softmax(self.out(out), -1), hidden

    torch.manual_seed(105)
    n, length = 8, 4
    encoder, decoder = Encoder(n, 32), AttnDecoder(n, 32)
    params = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(params, lr=8e-3)

    def decode(source, target, forced):
        memory, hidden = encoder(source)
        token, outs = torch.zeros(len(source), 1, dtype=torch.long), []
        for t in range(length):
            out, hidden = decoder.step(token, hidden, memory)
            outs.append(out)
            token = target[:, t : t + 1] if forced else out.argmax(-1)
        return torch.cat(outs, 1)

    for step in range(160):
        source = torch.randint(1, n, (64, length))
        target = source.flip(1)
        logs = decode(source, target, forced=step % 2 == 0)
        loss = F.nll_loss(logs.flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source = torch.randint(1, n, (200, length))
    with torch.no_grad():
        return {"accuracy": matches(decode(source, None, forced=False), source.flip(1)), "loss": loss.item()}


@healthy(split="wild", odd="EmbeddingBag with a bag of words, SGD at 5, clipping at 0.1, as in the text tutorial")
def text_tutorial_with_sgd_at_five():
    class TextClassificationModel(nn.Module):
        def __init__(self, vocab_size, embed_dim, num_class):
            super().__init__()
            self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, sparse=False)
            self.fc = nn.Linear(embed_dim, num_class)
            for w in (self.embedding.weight, self.fc.weight):
                w.data.uniform_(-0.5, 0.5)
            self.fc.bias.data.zero_()

        def forward(self, text, offsets):
            return self.fc(self.embedding(text, offsets))

    torch.manual_seed(106)
    texts, labels = headlines()
    vocab = {w: k for k, w in enumerate(sorted({w for t in texts for w in t}))}
    rows = [torch.tensor([vocab[w] for w in t]) for t in texts]

    def collate(batch):
        lab = torch.stack([b[1] for b in batch])
        offsets = torch.tensor([0] + [len(b[0]) for b in batch[:-1]]).cumsum(0)
        return lab, torch.cat([b[0] for b in batch]), offsets

    train, test = list(zip(rows[:500], labels[:500])), list(zip(rows[500:], labels[500:]))
    model = TextClassificationModel(len(vocab), 32, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
    for epoch in range(12):
        for lab, text, offsets in DataLoader(train, batch_size=16, shuffle=True, collate_fn=collate):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(text, offsets), lab)
            loss.backward()
            clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
    lab, text, offsets = collate(test)
    with torch.no_grad():
        return {"accuracy": matches(model(text, offsets), lab), "loss": loss.item()}


@healthy(split="wild", odd="the VAE example: BCE and KL both summed over the batch, Adam at 1e-3 all the same")
def vae_example_with_sums():
    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(64, 100)
            self.fc21, self.fc22 = nn.Linear(100, 10), nn.Linear(100, 10)
            self.fc3, self.fc4 = nn.Linear(10, 100), nn.Linear(100, 64)

        def forward(self, x):
            h = F.relu(self.fc1(x))
            mu, logvar = self.fc21(h), self.fc22(h)
            z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
            return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar

    torch.manual_seed(107)
    x, _ = digits()
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(20):
        for data in x[torch.randperm(len(x))].split(64):
            optimizer.zero_grad()
            recon, mu, logvar = model(data)
            bce = F.binary_cross_entropy(recon, data, reduction="sum")
            kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            (bce + kld).backward()
            optimizer.step()
    with torch.no_grad():
        recon, mu, logvar = model(x)
        bce = F.binary_cross_entropy(recon, x, reduction="sum")
        return {"error": ((bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())) / len(x)).item()}
