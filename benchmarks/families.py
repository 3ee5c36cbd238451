"""Three architectures as the package transformers builds them: small, at random, each with a batch of made-up data."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.models import Task

__all__ = ["FAMILIES"]

CLASSES = 10
PICTURE, PICTURES = 64, 16


class Logits(nn.Module):
    """A model of transformers whose result is (examples · tokens, classes) and nothing else."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        return self.model(inputs).logits.flatten(0, -2)


def gpt2() -> Task:
    """4 layers, width 128, 4 heads, 64 tokens, batch 16."""
    words, tokens, batch = 64, 64, 16
    config = _transformers().GPT2Config(
        vocab_size=words, n_embd=128, n_layer=4, n_head=4, n_positions=tokens, bos_token_id=1, eos_token_id=2
    )
    model = Logits(_transformers().GPT2LMHeadModel(config)).train()
    return Task(model, torch.randint(words, (batch, tokens)), torch.randint(words, (batch * tokens,)))


def vit() -> Task:
    """4 layers, width 128, 4 heads, 64 patches of 64×64, batch 16."""
    config = _transformers().ViTConfig(
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        image_size=PICTURE,
        patch_size=8,
        num_labels=CLASSES,
    )
    return _pictures(_transformers().ViTForImageClassification(config))


def resnet() -> Task:
    """4 stages of 2 basic blocks, widths 32 to 256, on 64×64, batch 16."""
    config = _transformers().ResNetConfig(
        embedding_size=32,
        hidden_sizes=[32, 64, 128, 256],
        depths=[2, 2, 2, 2],
        layer_type="basic",
        num_labels=CLASSES,
    )
    return _pictures(_transformers().ResNetForImageClassification(config))


def _pictures(model: nn.Module) -> Task:
    batch = torch.randn(PICTURES, 3, PICTURE, PICTURE)
    return Task(Logits(model).train(), batch, torch.randint(CLASSES, (PICTURES,)))


def _transformers() -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    return transformers


FAMILIES: dict[str, Callable[[], Task]] = {
    "GPT-2 4 layers, width 128, 64 tokens, batch 16": gpt2,
    "ViT 4 layers, width 128, 64 patches, batch 16": vit,
    "ResNet-18 of half width, 64×64, batch 16": resnet,
}
