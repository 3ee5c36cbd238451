"""Print the forward pass as PyTorch recorded it, and what a backward pass over it carried."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
loss = cross_entropy(model(images[:64]), labels[:64])

print("the graph, from the loss to the parameters: number, operation, shape of its output → where its gradient goes")
print(undertow.Graph.read(loss))
print()
print("the flow: number, norm of the gradient of the loss by the operation's output, operation")
print(undertow.backward(loss, model=model))
