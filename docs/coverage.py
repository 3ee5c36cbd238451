"""The page of what is covered: which derivatives are stated and which borrowed, by model, layer and operation."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
import transformers

import undertow
from tests.families import FAMILIES, LAYERS, LOSSES, Family
from tests.families.fed import Fed
from tests.samples import FILES
from undertow.engine.reading import ACCUMULATE_GRAD

FEW = 3
"""So many models or layers are named that meet an operation; of more, these, and how many there are besides."""

GROUPS = {
    "Derivatives of derivatives": ("BackwardBackward",),
    "Copies that stand for views": ("_copy",),
    "Kernels of other devices": ("Cudnn", "Miopen", "Mps", "Mkldnn", "Cuda", "Xnnpack", "EfficientAttention"),
    "Lists of tensors at once": ("Foreach",),
    "Tensors that are not strided": ("Nested", "Sparse", "Sspaddmm", "ToMkldnn", "Jagged", "Values", "Coalesce"),
    "Linear algebra": ("Linalg", "Cholesky", "Lu", "Triangular", "Geqrf", "Ormqr", "Householder", "Lstsq"),
    "Fourier transforms and complex numbers": ("Fft", "Complex", "Polar", "Angle", "Conj", "Imag", "Real", "Stft"),
}
"""Operations that are not met, by a part of their names; the first that fits."""

HEAD = f"""# Coverage

Which local derivatives Undertow states itself, and which it borrows. Written by `make docs` from runs of the models,
layers and losses in `tests/families/`; a test fails when it is out of date. With PyTorch
{torch.__version__.split("+")[0]} and transformers {transformers.__version__}, on a CPU.

Each model is a small one of random weights, in training mode, from a configuration of the package `transformers` (the
diffusion U-Net and the recurrent models are written by hand). `undertow.backward(loss, calculus=undertow.CALCULUS)`
goes backward from its loss. A test (`tests/engine/test_families.py`) compares each gradient with PyTorch's, in float32
and in float64, and each rule obeys the laws of `tests/engine/test_calculus.py` on samples of its own. *Borrowed* is an
operation without a rule, or one whose rule does not cover the case at hand: PyTorch's own product is taken, which
serves the gradient and every other algebra that can borrow."""


@dataclass(frozen=True)
class Met:
    """What going backward through the variants of a family meets.

    Attributes:
        sizes: How many operations each variant has.
        types: The types of all of them.
        borrowed: The types that were borrowed in one place at least.
    """

    sizes: tuple[int, ...]
    types: frozenset[str]
    borrowed: frozenset[str]


@functools.cache
def met() -> dict[str, dict[str, Met]]:
    """What each family meets, of models, of layers and of losses."""
    kinds = {"Models": FAMILIES, "Layers of `torch.nn`": LAYERS, "Losses": LOSSES}
    return {kind: {name: met_by(family) for name, family in families.items()} for kind, families in kinds.items()}


def met_by(family: Family) -> Met:
    sizes, types, borrowed = [], set(), set()
    for variant in family.variants:
        member = family.member(variant, family.dtypes.get(variant, (torch.float32,))[0])
        flow = undertow.backward(member.forward(), calculus=undertow.CALCULUS)
        outputs = member.model() if isinstance(member.model, Fed) else member.forward()
        names = [type(n).__name__ for n in undertow.Graph.read(outputs).nodes if type(n) is not ACCUMULATE_GRAD]
        sizes.append(len(names))
        types |= {*names}
        borrowed |= {*flow.borrowed}
    return Met(tuple(sizes), frozenset(types), frozenset(borrowed))


def page() -> str:
    """The whole page."""
    return "\n\n".join([HEAD, *summary(), *models(), *layers(), *stated(), *lent(), *unmet()]) + "\n"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [[*heads]]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


def known() -> set[str]:
    """The types of nodes that PyTorch's own operations record."""
    return {name for name in dir(torch._C._functions) if "Backward" in name}


def summary() -> Iterator[str]:
    rows = []
    for kind, families in met().items():
        types = {name for each in families.values() for name in each.types}
        lent = {name for each in families.values() for name in each.borrowed}
        rows.append([kind, str(len(families)), str(len(types)), str(len(types - lent)), codes(lent)])
    yield table(["what", "how many", "operation types met", "never borrowed", "borrowed somewhere"], rows)
    yield (
        f"PyTorch has {len(known())} types of its own; {len(known() & {*undertow.CALCULUS})} have a rule here. "
        "Those\nthat none of these meet, and that have no rule, stand at the end."
    )


def models() -> Iterator[str]:
    yield "## Models"
    rows = (
        [name, variants(FAMILIES[name]), " / ".join(map(str, one.sizes)), str(len(one.types)), codes(one.borrowed)]
        for name, one in met()["Models"].items()
    )
    yield table(["model", "variants", "operations of each", "types", "borrowed"], rows)


def variants(family: Family) -> str:
    return " / ".join(filter(None, family.variants)) or "one"


def layers() -> Iterator[str]:
    for kind, families in [*met().items()][1:]:
        yield f"## {kind}"
        rows = ([name, codes(one.types - one.borrowed), codes(one.borrowed)] for name, one in families.items())
        yield table(["layer", "stated", "borrowed"], rows)


def users(of: Mapping[str, Met], name: str) -> str:
    """Who meets a type of operation."""
    found = [user for user, one in of.items() if name in one.types]
    rest = f" and {len(found) - FEW} more" if len(found) > FEW else ""
    return ", ".join(found[:FEW]) + rest


def both() -> tuple[dict[str, Met], dict[str, Met]]:
    first, *others = met().values()
    return first, {name: one for families in others for name, one in families.items()}


def stated() -> Iterator[str]:
    yield "## Operations with a rule"
    yield (
        "By the file of `src/undertow/engine/calculus/` that states them. Some are met by no model or layer here: they "
        "are tensor code that people write around them."
    )
    of_models, of_layers = both()
    rows = (
        [file.__name__.rpartition(".")[2], f"`{name}`", users(of_models, name), users(of_layers, name)]
        for file in FILES
        for name in sorted(file.SAMPLES)
    )
    yield table(["file", "operation", "models", "layers and losses"], rows)


def lent() -> Iterator[str]:
    yield "## Operations that are borrowed"
    yield "Met above and borrowed, always or (where there is a rule) in some cases."
    names = {name for families in met().values() for one in families.values() for name in one.borrowed}
    rows = (
        [f"`{name}`", "in some cases" if name in undertow.CALCULUS else "always", borrowers(name)]
        for name in sorted(names)
    )
    yield table(["operation", "borrowed", "by"], rows)


def borrowers(name: str) -> str:
    return ", ".join(u for families in met().values() for u, one in families.items() if name in one.borrowed)


def unmet() -> Iterator[str]:
    yield "## Operations without a rule that none of these meet"
    yield "They are borrowed wherever they come."
    groups: dict[str, list[str]] = {}
    for name in sorted(
        known() - {*undertow.CALCULUS} - {n for f in met().values() for o in f.values() for n in o.types}
    ):
        kind = next((kind for kind, parts in GROUPS.items() if any(part in name for part in parts)), "All others")
        groups.setdefault(kind, []).append(name)
    for kind in sorted(groups):
        yield f"**{kind}** ({len(groups[kind])}): {codes(groups[kind])}."
