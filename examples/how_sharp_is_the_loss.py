"""How large a learning rate can be: the curvature of the loss, from products with it after one forward pass."""

import torch
from scipy.sparse.linalg import eigsh
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32)[:500], torch.tensor(digits.target)[:500]
model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))


def largest(operator):
    return float(eigsh(operator.as_linear_operator(), 1, which="LA", return_eigenvectors=False, rng=0)[0])


outputs = model(images)
loss = cross_entropy(outputs, labels)
sharpness = largest(undertow.hessian(loss, model))
print(f"largest eigenvalue of the Hessian:      {sharpness:.3f}")
print(f"of its Gauss–Newton part:               {largest(undertow.gauss_newton(loss, outputs, model)):.3f}")

# Gradient descent on a quadratic overshoots where the learning rate exceeds 2 over its curvature.
gradient = undertow.linearize(loss, model).pull(torch.ones(()))
for factor in (0.5, 20):
    rate = factor * 2 / sharpness
    moved = {name: parameter - rate * gradient[name] for name, parameter in model.named_parameters()}
    after = cross_entropy(torch.func.functional_call(model, moved, (images,)), labels)
    print(f"one step of {factor:>4} times that limit: the loss goes from {loss:.3f} to {after:.3f}")
