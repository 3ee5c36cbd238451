"""State the local derivative of an operation of your own, and have every kind of sweep follow from it."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import undertow
from undertow.engine.maps import Diagonal

torch.manual_seed(0)
digits = load_digits()
images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)


class Softsign(torch.autograd.Function):
    """x / (1 + |x|)"""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x / (1 + x.abs())

    @staticmethod
    def backward(ctx, cotangent):
        (x,) = ctx.saved_tensors
        return cotangent / (1 + x.abs()) ** 2


model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 10))


def loss():
    return cross_entropy(model[1](Softsign.apply(model[0](images[:64]))), labels[:64])


flow = undertow.backward(loss(), model=model, calculus=undertow.CALCULUS)
print("before: borrowed from PyTorch:", dict(flow.borrowed))
borrowed, model[0].weight.grad = model[0].weight.grad, None


@undertow.derivative("SoftsignBackward")
def softsign(node):
    (x,) = node.saved_tensors
    return (Diagonal((1 + x.abs()) ** -2),)


flow = undertow.backward(loss(), model=model, calculus=undertow.CALCULUS)
print("after:  borrowed from PyTorch:", dict(flow.borrowed) or "nothing")
print(f"largest difference between the two gradients: {(model[0].weight.grad - borrowed).abs().max():.1e}")
