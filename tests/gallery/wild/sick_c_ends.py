"""Questions that people asked, rebuilt: targets as they are, and learned weights that were lost."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits
from ..score import accuracy
from ..table import sick


@sick(
    "UT508",
    split="wild",
    note="cubes as targets: the inputs were scaled as advised, the targets were not",
    cured=(("target = (grid * 40) ** 3", "target = (grid * 40) ** 3 / 40**3"), ("scale = 40.0**3", "scale = 1.0")),
)
def cubes_as_they_are():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(1, 50)
            self.fc2 = nn.Linear(50, 1)

        def forward(self, x):
            return self.fc2(F.relu(self.fc1(x)))

    torch.manual_seed(70)
    grid = torch.linspace(-1, 1, 400).unsqueeze(1)
    target = (grid * 40) ** 3  # <- fault
    scale = 40.0**3
    model = Network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(400):
        optimizer.zero_grad()
        loss = F.mse_loss(model(grid), target)
        loss.backward()
        optimizer.step()
    return {"error": loss.item() / scale**2}


@sick(
    "UT901",
    split="wild",
    note="init_weights called at the end of the constructor, after the saved encoder was loaded into it",
    cured=(("        self.apply(self.init_weights)  # <- fault\n", ""),),
)
def saved_encoder_initialised_again():
    class Classifier(nn.Module):
        def __init__(self, state):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU())
            self.encoder.load_state_dict(state)
            self.head = nn.Linear(24, 10)
            self.apply(self.init_weights)  # <- fault

        @staticmethod
        def init_weights(m):
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, std=0.1)
                nn.init.zeros_(m.bias)

        def forward(self, x):
            return self.head(self.encoder(x))

    torch.manual_seed(79)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU())
    first = nn.Sequential(encoder, nn.Linear(24, 10))
    opt = torch.optim.Adam(first.parameters(), lr=3e-3)
    for _ in range(200):
        rows = torch.randint(1200, (64,))
        opt.zero_grad()
        F.cross_entropy(first(x[rows]), y[rows]).backward()
        opt.step()
    model = Classifier(encoder.state_dict())
    few_x, few_y = x[1200:1260], y[1200:1260]
    opt = torch.optim.AdamW(model.parameters(), lr=5e-4)
    for epoch in range(60):
        for rows in torch.randperm(60).split(20):
            loss = F.cross_entropy(model(few_x[rows]), few_y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x[1260:], y[1260:]), "loss": loss.item()}
