"""How our rules stand on all of PyTorch's own samples: `python -m benchmarks.proof`, Markdown on standard output.

Of every sample of every operation (`OpInfo`) and of every layer (`ModuleInfo`): each node that it records by the laws
of shapes, values and adjoints, and our sweep from end to end by `torch.autograd.grad`. In dtypes narrower than
float64, each node's product by PyTorch's, entry by entry, in units in the last place of what computing it adds up, and
where the two are far apart, each by the same rule in float64. Then how many of our own samples the tests run.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain
from typing import Any

import torch

from tests.engine.laws import broken_laws
from tests.engine.opinfo import Recorded, of_layers, of_operations
from tests.engine.places import from_float64, last_places
from tests.engine.test_calculus import BOUNDED
from tests.engine.test_differences import how_far_off
from tests.engine.test_kinds import FEW as ALLOWED
from tests.engine.test_kinds import broken_in, differentiated, in_dtype
from tests.samples import SAMPLES, Sample
from tests.samples.sample import channels_last, strided
from undertow.engine.calculus import CALCULUS

EXACT = [torch.float64, torch.complex128]
NARROW = [torch.float32, torch.bfloat16, torch.float16]
FEW = (0, 1, 4, 8, 16)
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
    """Print how far each node's product is from PyTorch's, and by type whose is nearer to float64 where it is far."""
    row("dtype", "nodes", "the same bits", *[f"≤ {few} ulp" for few in FEW[1:]], "more")
    row(*["---"] * (4 + len(FEW[1:])))
    far: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for dtype in NARROW:
        counts = Counter()
        for node in (node for sample in every(dtype) for node in sample.operations()):
            name = type(node).__name__
            with torch.no_grad():
                local = CALCULUS[name](node) if name in CALCULUS else None
                if local is None:
                    continue
                off = last_places(node, local)
                if off > FEW[-2]:
                    far[name, str(dtype)[6:]].append((off, *from_float64(node, CALCULUS[name])))
            counts[next((few for few in FEW if off <= few), None)] += 1
        row(str(dtype)[6:], counts.total(), *[f"{counts[few] / counts.total():.2%}" for few in (*FEW, None)])
    print()
    row(
        "type",
        "dtype",
        f"nodes over {FEW[-2]} ulp",
        "apart at most",
        "ours from float64",
        "PyTorch's",
        "ours nearer in",
    )
    row(*["---"] * 7)
    for (name, dtype), found in sorted(far.items(), key=lambda item: -len(item[1])):
        most = [f"{max(column):.3g}" for column in zip(*found, strict=True)]
        row(f"`{name}`", dtype, len(found), *most, sum(ours <= theirs for _, ours, theirs in found))


def own() -> None:
    """Print how many of our own samples, and nodes that they record, obey which laws."""
    every = [(name, sample) for name, samples in SAMPLES.items() for sample in samples]
    row("law, on our own samples", "tried", "obeyed")
    row("---", "---", "---")
    with torch.no_grad():
        nodes = [(name, node) for name, sample in every for node in _recorded(sample, name)]
        lawful = sum(not broken_laws(node, CALCULUS[name], bounded=name in BOUNDED) for name, node in nodes)
    row("values, adjoint, modulus, strongest path, rounding, in float64 (nodes)", len(nodes), lawful)
    row("finite differences (samples)", len(every), sum(how_far_off(sample) <= 1 for _, sample in every))
    images = [(name, sample) for name, sample in every if any(len(shape) in (4, 5) for shape in sample.shapes)]
    for kind, samples in ((strided, every), (channels_last, images)):
        broken = [broken_in(name, sample, kind) for name, sample in samples]
        done = [faults for faults in broken if faults is not None]
        row(f"values and adjoint, {kind.__name__.replace('_', ' ')} (samples)", len(done), sum(not f for f in done))
    for dtype in NARROW:
        nodes = [(name, node) for name in SAMPLES for node in in_dtype(name, dtype) if differentiated(node)]
        with torch.no_grad():
            near = sum(last_places(node, CALCULUS[name](node)) <= ALLOWED for name, node in nodes)
        row(f"PyTorch's product within {ALLOWED} ulp, {str(dtype)[6:]} (nodes)", len(nodes), near)


@torch.enable_grad()
def _recorded(sample: Sample, name: str) -> list[Any]:
    return sample.nodes(name)


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
    own()
    print()
    by_type(*tables)
