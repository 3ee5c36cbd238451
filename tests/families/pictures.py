"""Models of pictures: those of transformers, on pictures of 32 by 32, and a diffusion U-Net."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.families.denoiser import Denoiser, noise
from tests.families.family import Family
from tests.families.language import BOTH, of

__all__ = ["PICTURES"]

CLASSES = 3
HEAD = "ForImageClassification"


def labels(model: nn.Module, dtype: torch.dtype) -> Callable[[], Tensor]:
    """The loss of classifying a batch of pictures."""
    pictures, classes = torch.randn(3, 3, 32, 32, dtype=dtype), torch.randint(CLASSES, (3,))
    return lambda: model(pixel_values=pictures, labels=classes).loss


PICTURES = {
    "ViT": Family(
        of(
            "ViT",
            HEAD,
            {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
            | {"image_size": 32, "patch_size": 8, "num_labels": CLASSES}
            | {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1},
        ),
        labels,
        BOTH,
    ),
    "Swin": Family(
        of(
            "Swin",
            HEAD,
            {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 4]}
            | {"window_size": 4, "num_labels": CLASSES, "drop_path_rate": 0.2}
            | {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1},
        ),
        labels,
        BOTH,
    ),
    "ConvNeXt": Family(
        of(
            "ConvNext",
            HEAD,
            {"image_size": 32, "hidden_sizes": [8, 12, 16, 16], "depths": [1, 2, 1, 1]}
            | {"num_labels": CLASSES, "drop_path_rate": 0.2},
        ),
        labels,
    ),
    "ResNet": Family(
        of("ResNet", HEAD, {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2], "num_labels": CLASSES}),
        labels,
    ),
    "RegNet": Family(
        of(
            "RegNet",
            HEAD,
            {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2], "groups_width": 4, "num_labels": CLASSES},
        ),
        labels,
    ),
    "MobileNetV2": Family(
        of("MobileNetV2", HEAD, {"image_size": 32, "depth_multiplier": 0.25, "num_labels": CLASSES}), labels
    ),
    "EfficientNet": Family(
        of(
            "EfficientNet",
            HEAD,
            {"image_size": 32, "width_coefficient": 0.25, "depth_coefficient": 0.5, "hidden_dim": 320}
            | {"num_labels": CLASSES, "drop_connect_rate": 0.2},
        ),
        labels,
    ),
    "diffusion U-Net": Family(Denoiser, noise),
}
