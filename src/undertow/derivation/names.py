"""Names of a program's variables, each used once."""

from __future__ import annotations

import keyword
import re

__all__ = ["Identifiers", "operation", "saved"]

RESERVED = {"torch", "parameters", "saved", "backward", *keyword.kwlist}


class Identifiers:
    """Hands out Python identifiers, numbering those that were asked for before."""

    def __init__(self) -> None:
        self._taken = set(RESERVED)

    def fresh(self, *parts: str) -> str:
        """An identifier made of some parts, such as a module's path."""
        wished = "_".join(filter(None, (re.sub(r"\W+", "_", part).strip("_") for part in parts))) or "value"
        wished = f"_{wished}" if wished[0].isdigit() else wished
        name, number = wished, 1
        while name in self._taken:
            number += 1
            name = f"{wished}_{number}"
        self._taken.add(name)
        return name


SHORT = {
    "native_layer_norm": "layer_norm",
    "native_batch_norm": "batch_norm",
    "native_group_norm": "group_norm",
    "native_dropout": "dropout",
    "scaled_dot_product_flash_attention_for_cpu": "attention",
    "max_pool2d_with_indices": "max_pool2d",
    "max_pool3d_with_indices": "max_pool3d",
}
"""What PyTorch's own names of some operations are said as."""

SAVED = {
    **{(norm, "result1"): "mean" for norm in ("layer_norm", "batch_norm", "group_norm")},
    **{(norm, "result2"): "rstd" for norm in ("layer_norm", "batch_norm", "group_norm")},
    **{(pool, "result1"): "indices" for pool in ("max_pool2d", "max_pool3d")},
}
"""What the numbered results that they save are: `rstd` is one over the standard deviation."""


def operation(node_type: str) -> str:
    """The forward operation of a node's type: `NativeLayerNormBackward0` is `layer_norm`."""
    name = re.sub(r"Backward\d*$", "", node_type)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\dD)(?=[A-Z])", "_", name).lower()
    return SHORT.get(name, name)


def saved(node_type: str, attribute: str) -> str:
    """What a node calls something that it saved, after its operation: `layer_norm.mean`."""
    name, attribute = operation(node_type), attribute.removeprefix("_saved_")
    said = "input" if attribute == "self" else SAVED.get((name, attribute), attribute)
    return f"{name}.{said}"
