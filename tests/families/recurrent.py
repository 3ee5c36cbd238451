"""The recurrent layers and cells of torch.nn, each between a table of words and a linear layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.families.family import Family

__all__ = ["RECURRENT"]

WORDS, FEATURES, WIDTH, STEPS, BATCH, CLASSES = 8, 3, 5, 6, 4, 3


class Read(nn.Module):
    """A recurrent layer between a table of words and a linear layer that reads all outputs and the last states."""

    def __init__(self, layer: type[nn.RNNBase], packed: bool = False, **options: object):
        super().__init__()
        self.packed, self.words = packed, nn.Embedding(WORDS, FEATURES)
        self.layer = layer(FEATURES, WIDTH, **options)
        ways = 1 + self.layer.bidirectional
        self.head = nn.Linear(ways * (self.layer.proj_size or WIDTH), CLASSES)

    def forward(self, words: Tensor) -> Tensor:
        x = self.words(words)
        if self.packed:
            outputs, _ = self.layer(pack_padded_sequence(x, torch.tensor([6, 5, 3, 1])))
            return self.head(pad_packed_sequence(outputs)[0])
        outputs, state = self.layer(x)
        last = sum(part.mean() for part in (state if isinstance(state, tuple) else (state,)))
        return self.head(outputs) + last


class Step(nn.Module):
    """A recurrent cell, called once for each step."""

    def __init__(self, cell: type[nn.RNNCellBase], **options: object):
        super().__init__()
        self.words, self.head = nn.Embedding(WORDS, FEATURES), nn.Linear(WIDTH, CLASSES)
        self.cell = cell(FEATURES, WIDTH, **options)

    def forward(self, words: Tensor) -> Tensor:
        state, outputs = None, []
        for step in self.words(words):
            state = self.cell(step, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return self.head(torch.stack(outputs))


def steps(model: nn.Module, dtype: torch.dtype) -> Callable[[], Tensor]:
    """The loss of classifying each step of some sequences."""
    words, classes = torch.randint(WORDS, (STEPS, BATCH)), torch.randint(CLASSES, (STEPS, BATCH))
    return lambda: F.cross_entropy(model(words).flatten(0, 1), classes.flatten())


LAYERS = {
    "plain": {},
    "two layers, both ways, dropout": {"num_layers": 2, "bidirectional": True, "dropout": 0.3},
    "without bias": {"bias": False},
    "packed": {"packed": True},
}

RECURRENT = {
    "RNN": Family(Read, steps, {name: {"layer": nn.RNN} | options for name, options in LAYERS.items()}),
    "GRU": Family(Read, steps, {name: {"layer": nn.GRU} | options for name, options in LAYERS.items()}),
    "LSTM": Family(
        Read,
        steps,
        {name: {"layer": nn.LSTM} | options for name, options in LAYERS.items()}
        | {"projected": {"layer": nn.LSTM, "proj_size": 2}},
    ),
    "cells": Family(
        Step,
        steps,
        {
            "RNN": {"cell": nn.RNNCell},
            "RNN of rectifiers": {"cell": nn.RNNCell, "nonlinearity": "relu"},
            "GRU": {"cell": nn.GRUCell},
            "LSTM": {"cell": nn.LSTMCell},
        },
    ),
}
