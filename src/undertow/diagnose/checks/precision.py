"""Faults of narrow number formats: gradients that underflow, and numbers near the end of the range."""

from __future__ import annotations

import math
from collections.abc import Iterator

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass

__all__: list[str] = []

LEAST = 2.0**-24
"""The smallest number above 0 in float16."""

MOST = 65504.0
"""The largest."""

SMALL = 2.0**-14
"""The smallest number that float16 holds at full precision."""

MANY = 0.3
"""Share of the weights whose gradient is mostly lost."""


@diagnosis(
    "UT104",
    "gradient-underflow",
    act="backward",
    message="the gradients of {count} of {weights} weights are too small for float16: of {weight}'s, "
    "at most {share:.0%} of the entries can be other than 0",
    advice="Scale the loss with torch.amp.GradScaler, or use bfloat16, which has the range of float32.",
    source="Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740",
)
def gradient_underflow(case: Case) -> Found:
    """Gradients too small for the format they are kept in.

    ## What it means
    Below 6·10⁻⁸ a float16 is 0. Every entry is 0 or at least that, so a gradient whose root mean square is r has at
    most (r / 6·10⁻⁸)² of its entries left: a bound, not an estimate.

    ## When it is harmless
    Where only a few weights are concerned, or the loss falls (a remark).

    ## What to do
    A gradient scaler multiplies the loss and divides the gradients after: nothing underflows, nothing changes.
    """
    plans = {id(p.flow.plan): p.flow.topology.operations for p in case.passes}
    narrow = {key for key, operations in plans.items() if any("float16" in op.dtypes for op in operations)}
    for observed in case.passes:
        if id(observed.flow.plan) not in narrow:
            continue
        bounds = dict(_bounds(observed))
        gone = {name: bound for name, bound in bounds.items() if bound <= 0.5}
        if not gone or len(gone) < MANY * len(bounds) or not _near_the_end(observed):
            continue
        weight = min(gone, key=lambda name: (-gone[name], name))
        yield {
            "module": weight.rpartition(".")[0],
            "count": len(gone),
            "weights": len(bounds),
            "weight": weight,
            "share": gone[weight],
            "step": observed.step,
            "onset": "start" if observed.step == case.start else "later",
            "harm": case.harm(0.93, 0.5, 0.2, 0.6),
        }
        return


def _near_the_end(observed: Pass) -> bool:
    """Whether a gradient that was small, but not 0, came out mostly lost on the way into float16."""
    flow = observed.flow
    for number, edge in enumerate(flow.topology.edges):
        receiver = flow.topology.operations[edge.receiver]
        if receiver.dtypes[edge.slot] == "float16":
            entries = math.prod(receiver.shapes[edge.slot])
            sent = flow.cotangents[edge.sender] * abs(flow.scale)
            came = flow.contributions[number] * abs(flow.scale) / math.sqrt(max(1, entries))
            if sent > 0 and came < 4 * LEAST and (came > 0 or sent / math.sqrt(max(1, entries)) < SMALL):
                return True
    return False


def _bounds(observed: Pass) -> Iterator[tuple[str, float]]:
    """For each weight whose gradient comes in float16: the largest share of it that can be other than 0."""
    flow, operations = observed.flow, observed.flow.topology.operations
    for index, operation in enumerate(operations):
        if not operation.leaf or len(operation.shapes[0]) < 2:
            continue
        sender = index
        if operation.dtypes[0] != "float16":
            cast = [flow.topology.edges[e].sender for e in flow.arriving[index]]
            if not cast or not all(_is_narrow_cast(observed, i) for i in cast):
                continue
            sender = cast[0]
        entries = math.prod(operation.shapes[0])
        size = flow.cotangents[sender] * abs(flow.scale) / math.sqrt(entries)
        if math.isfinite(size):
            yield operation.leaf, min(1.0, (size / LEAST) ** 2)


def _is_narrow_cast(observed: Pass, index: int) -> bool:
    operation = observed.flow.topology.operations[index]
    return operation.name == "ToCopyBackward0" and operation.dtypes[0] == "float16"


@diagnosis(
    "UT802",
    "little-headroom",
    message="the outputs of {where} have a root mean square of {rms:.3g} in float16, whose largest number is 65504",
    advice="Normalise before it, or compute this part in float32 or bfloat16.",
    source="Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740",
)
def little_headroom(case: Case) -> Found:
    """Numbers near the end of their format's range.

    ## What it means
    An activation whose root mean square is a thirtieth of the largest number has entries near it, and its square, or
    a sum of it, overflows.

    ## When it is harmless
    As long as nothing overflows: it is a remark.

    ## What to do
    Normalise, or a wider format.
    """
    found = [
        (p, a)
        for p in case.passes
        for a in p.activations
        if p.flow.topology.operations[a.operation].dtypes[0] == "float16" and MOST / 30 <= a.rms < math.inf
    ]
    if not found:
        return
    observed, activation = max(found, key=lambda item: item[1].rms)
    yield case.place(observed, activation.operation) | {"rms": activation.rms, "step": observed.step, "harm": 0.3}
