"""What is written out with exponentials and logarithms, and stands in the graph in pieces."""

from __future__ import annotations

from undertow.diagnose.checks.head import below, names_in
from undertow.store import Pass

__all__ = ["likelihood_of_both", "squash_of"]

SQUASHING = {"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid"}

ADDS = ("Add", "Rsub")


def squash_of(observed: Pass, index: int) -> str:
    """The squashing function that an operation is, or is the last part of; empty for none."""
    names = names_in(observed)
    inner = [*below(observed, index)]
    if names[index] == "ExpBackward0" and {names[i] for i in inner} == {"LogSoftmaxBackward0"}:
        return "softmax"
    if names[index] == "MulBackward0" and len(inner) == 1:  # 1 / x multiplies the reciprocal by 1
        index, inner = inner[0], [*below(observed, inner[0])]
    if names[index] == "ReciprocalBackward0" and inner and _one_and_an_exponential(observed, inner[0]):
        return "sigmoid"
    if names[index] == "DivBackward0" and len(inner) == 2 and names[inner[0]] == "ExpBackward0":
        return _share(observed, *inner)
    return SQUASHING.get(names[index], "")


def _one_and_an_exponential(observed: Pass, index: int) -> bool:
    names = names_in(observed)
    return names[index].startswith(ADDS) and [names[i] for i in below(observed, index)] == ["ExpBackward0"]


def _share(observed: Pass, part: int, whole: int) -> str:
    """What an exponential over something is: over the sum of all of them, or over 1 and itself."""
    if part not in below(observed, whole):
        return ""
    if names_in(observed)[whole].startswith("Sum"):
        return "softmax"
    return "sigmoid" if _one_and_an_exponential(observed, whole) else ""


def likelihood_of_both(observed: Pass, index: int, through: frozenset[str]) -> set[int]:
    """Of what a logarithm is taken, if another one is taken of 1 less that; empty otherwise."""
    names = names_in(observed)
    scores = {*below(observed, index, through)}
    others = [i for i in observed.head.operations if names[i] in {"LogBackward0", "Log1PBackward0"} and i != index]
    for other in others:
        turned = [i for i in below(observed, other, through) if names[i].startswith(("Rsub", "Neg"))]
        if scores and any({*below(observed, i, through)} == scores for i in turned):
            return scores
    return set()
