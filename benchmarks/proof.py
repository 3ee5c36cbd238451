"""How our rules stand on all of PyTorch's own samples: `python -m benchmarks.proof`, Markdown on standard output.

Of every sample of every operation (`OpInfo`) and of every layer (`ModuleInfo`): each node that it records by the laws
of shapes, values and adjoints, and our sweep from end to end by `torch.autograd.grad`. In dtypes narrower than
float64, each node's product by PyTorch's, in units in the last place of what it adds up.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain

import torch

from tests.engine.laws import last_places
from tests.engine.opinfo import Recorded, of_layers, of_operations
from undertow.engine.calculus import CALCULUS

EXACT = [torch.float64, torch.complex128]
NARROW = [torch.float32, torch.bfloat16, torch.float16]
FEW = (0, 1, 4, 16)
"""Units in the last place."""


def every(dtype: torch.dtype) -> Iterable[Recorded]:
    layers = of_layers(dtype) if dtype in (torch.float64, torch.float32) else ()
    return chain(of_operations(dtype), layers)


def row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|")


def exact() -> tuple[Counter[str], Counter[str]]:
    """Print a line for each dtype; return how often types of nodes obeyed and were borrowed in float64."""
    row("dtype", "samples", "ours throughout", "some node borrowed", "differ", "nodes that obeyed", "nodes borrowed")
    row(*["---"] * 7)
    first = None
    for dtype in EXACT:
        kinds, obeyed, borrowed, differing = Counter(), Counter(), Counter(), []
        for sample in every(dtype):
            verdict = sample.verdict()
            kinds[verdict.kind] += 1
            obeyed += verdict.obeyed
            borrowed += verdict.borrowed
            if verdict.kind == "differs":
                differing.append(sample.name)
        counts = kinds["ours"], kinds["borrowed"], kinds["differs"]
        row(str(dtype)[6:], kinds.total(), *counts, obeyed.total(), borrowed.total())
        first = first or (obeyed, borrowed, differing)
    obeyed, borrowed, differing = first
    print("\nDiffering in float64:", ", ".join(differing) or "none")
    return obeyed, borrowed


def narrow() -> None:
    """Print how far each node's product is from PyTorch's."""
    row("dtype", "nodes", "the same bits", *[f"≤ {few} ulp" for few in FEW[1:]], "more", "the worst types, ulp")
    row(*["---"] * (5 + len(FEW[1:])))
    for dtype in NARROW:
        counts, total, worst = Counter(), 0, defaultdict(float)
        for sample in every(dtype):
            for node in sample.operations():
                name = type(node).__name__
                with torch.no_grad():
                    local = CALCULUS[name](node) if name in CALCULUS else None
                    if local is None:
                        continue
                    off = last_places(node, local)
                total += 1
                worst[name] = max(worst[name], off)
                counts[next((few for few in FEW if off <= few), None)] += 1
        far = sorted(worst.items(), key=lambda item: -item[1])[:5]
        named = ", ".join(f"{name} {off:.0f}" for name, off in far)
        row(str(dtype)[6:], total, *[f"{counts[few] / total:.1%}" for few in (*FEW, None)], named)


def by_type(obeyed: Counter[str], borrowed: Counter[str]) -> None:
    row("type", "obeyed", "borrowed")
    row("---", "---", "---")
    for name in sorted({*obeyed, *borrowed}):
        row(f"`{name}`", obeyed[name], borrowed[name])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    tables = exact()
    print()
    narrow()
    print()
    by_type(*tables)
