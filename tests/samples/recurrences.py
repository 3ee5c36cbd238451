"""Samples of fused recurrent layers."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from tests.samples.sample import Sample, of

LSTM = "MkldnnRnnLayerBackward0"


def lstm(inputs: int, width: int, **options: object) -> Callable[..., list[Tensor]]:
    """All results of a layer: PyTorch fuses it in float32 and not in float64."""
    torch.manual_seed(0)
    layer = nn.LSTM(inputs, width, **options)

    def run(x: Tensor, *state: Tensor) -> list[Tensor]:
        outputs, (h, c) = layer(x.float(), tuple(s.float() for s in state) or None)
        return [outputs, h, c]

    return run


def packed(*lengths: int, **options: bool) -> Callable[[Tensor], Tensor]:
    return lambda x: pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False, **options).data


SAMPLES: dict[str, list[Sample]] = {
    LSTM: [
        of(lstm(3, 2), (4, 2, 3)),
        of(lstm(2, 3), (3, 2, 2), (1, 2, 3), (1, 2, 3)),
        of(lstm(2, 2, num_layers=2, bidirectional=True), (3, 2, 2), (4, 2, 2), (4, 2, 2)),
        of(lstm(3, 2, bias=False), (1, 1, 3)),
        of(lstm(3, 2, batch_first=True), (2, 3, 3)),
        of(lstm(1, 1), (5, 3, 1)),
    ],
    "PackPaddedSequenceBackward0": [
        of(packed(6, 5, 3, 1), (6, 4, 3)),
        of(packed(2, 3, batch_first=True), (2, 3, 2)),
        of(packed(1), (1, 1, 1)),
    ],
}
