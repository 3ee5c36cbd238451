"""Train a deep network to read handwritten digits."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(0)

digits = load_digits()
images = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
train_images, test_images, train_labels, test_labels = train_test_split(images, labels, test_size=0.25, random_state=0)


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.activation = nn.ReLU()
        nn.init.kaiming_normal_(self.linear.weight, nonlinearity="relu")

    def forward(self, x):
        return self.activation(self.linear(x))


class Net(nn.Module):
    def __init__(self, width=64, depth=12):
        super().__init__()
        self.layers = nn.Sequential(*(Layer(width) for _ in range(depth - 1)))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.layers(x))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
loss_function = nn.CrossEntropyLoss()

for epoch in range(30):
    order = torch.randperm(len(train_images))
    for start in range(0, len(order), 32):
        batch = order[start : start + 32]
        loss = loss_function(model(train_images[batch]), train_labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        with torch.no_grad():
            accuracy = (model(test_images).argmax(1) == test_labels).float().mean()
        print(f"epoch {epoch + 1:2d}  loss {loss.item():.3f}  test accuracy {accuracy:.1%}")
