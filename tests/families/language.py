"""Language models of transformers, two layers deep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.families.family import Family, offline

__all__ = ["LANGUAGE"]

WORDS = 32
EAGER, SDPA = {"attn_implementation": "eager"}, {"attn_implementation": "sdpa"}
BOTH = {"eager": EAGER, "sdpa": SDPA}
WITH_DROPOUT = BOTH | {"sdpa with dropout": SDPA | {"attention_dropout": 0.1}}

SMALL = {
    "vocab_size": WORDS,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def of(architecture: str, head: str, config: dict[str, Any]) -> Callable[..., nn.Module]:
    """Builds a model of an architecture with a head, at random."""

    def build(**options: Any) -> nn.Module:
        package = offline()
        model: nn.Module = getattr(package, architecture + head)(
            getattr(package, f"{architecture}Config")(**config | options)
        )
        return model

    return build


def words(model: nn.Module, dtype: torch.dtype) -> Callable[[], Tensor]:
    """The loss of predicting words, in two sentences of which one is shorter."""
    tokens = torch.randint(3, WORDS, (2, 7))
    mask = torch.ones_like(tokens)
    mask[1, 5:] = 0
    return lambda: model(input_ids=tokens, attention_mask=mask, labels=tokens).loss


LANGUAGE = {
    "GPT-2": Family(
        of(
            "GPT2",
            "LMHeadModel",
            {"vocab_size": WORDS, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 16}
            | {"bos_token_id": 1, "eos_token_id": 2},
        ),
        words,
        BOTH,
    ),
    "Llama": Family(of("Llama", "ForCausalLM", SMALL | {"num_key_value_heads": 2}), words, WITH_DROPOUT),
    "Mixtral": Family(
        of(
            "Mixtral",
            "ForCausalLM",
            SMALL | {"num_key_value_heads": 2, "num_local_experts": 4, "output_router_logits": True},
        ),
        words,
        {
            "eager": EAGER | {"experts_implementation": "eager"},
            "sdpa, batched experts": SDPA | {"experts_implementation": "batched_mm"},
            "sdpa, grouped experts": SDPA | {"experts_implementation": "grouped_mm"},
        },
        {"sdpa, grouped experts": (torch.float32,)},
    ),
    "Qwen2": Family(of("Qwen2", "ForCausalLM", SMALL | {"num_key_value_heads": 2}), words, WITH_DROPOUT),
    "Gemma": Family(of("Gemma", "ForCausalLM", SMALL | {"num_key_value_heads": 1, "head_dim": 4}), words, WITH_DROPOUT),
    "BERT": Family(of("Bert", "ForMaskedLM", SMALL), words, BOTH),
    "DistilBERT": Family(
        of(
            "DistilBert",
            "ForMaskedLM",
            {"vocab_size": WORDS, "dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 4}
            | {"max_position_embeddings": 16},
        ),
        words,
        BOTH,
    ),
    "DeBERTa": Family(
        of(
            "Deberta",
            "ForMaskedLM",
            SMALL | {"relative_attention": True, "pos_att_type": "c2p|p2c", "max_relative_positions": 8},
        ),
        words,
    ),
    "DeBERTa-v2": Family(
        of(
            "DebertaV2",
            "ForMaskedLM",
            SMALL
            | {"relative_attention": True, "pos_att_type": "c2p|p2c", "max_relative_positions": 8}
            | {"position_buckets": 4, "conv_kernel_size": 3, "share_att_key": True},
        ),
        words,
    ),
    "T5": Family(
        of(
            "T5",
            "ForConditionalGeneration",
            {"vocab_size": WORDS, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4}
            | {"relative_attention_num_buckets": 8, "decoder_start_token_id": 0, "pad_token_id": 0},
        ),
        words,
        BOTH,
    ),
    "Mamba": Family(
        of(
            "Mamba",
            "ForCausalLM",
            {"vocab_size": WORDS, "hidden_size": 16, "state_size": 4, "num_hidden_layers": 2}
            | {"conv_kernel": 3, "time_step_rank": 2},
        ),
        words,
    ),
}
