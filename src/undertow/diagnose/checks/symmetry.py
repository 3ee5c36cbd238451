"""Faults of how weights are made: nothing tells the units apart, or the trunk stays as it was made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.checks.signal import common_module
from undertow.diagnose.checks.updates import reached
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Conditions, Pass

__all__: list[str] = []

MOST_OF_IT = 0.5
"""Share of the weights that were used: with fewer frozen, what is trained can make up for it."""


SETTLED_BY = 3
"""Steps after which layers that begin at zero on purpose, one behind the other, have left it."""


@diagnosis(
    "UT203",
    "units-alike",
    message="{who} are alike at step {step}{others}: what they learn, they learn together",
    advice="Initialise weights at random (PyTorch's default, He, Xavier); constants and zeros are for biases.",
    source="Goodfellow, Bengio & Courville 2016, Deep Learning, section 8.4: initial parameters must break symmetry",
)
def units_alike(case: Case) -> Found:
    """Units that nothing tells apart.

    ## What it means
    Units with the same weights compute the same, get the same gradient, and stay the same: a layer of a hundred of
    them is a layer of one. Constant and zero initialisation do this. The units of an embedding are its features. It
    is looked for after a few steps, so that a layer which begins at zero and leaves it is not meant; and at the start,
    where most of the weights are one number other than zero, and nothing but random biases tells their units apart.
    Rounding may tell the units apart in the end, after long.

    The same holds for whole layers that are copies of one: weight matrices of one shape whose norms, gradients and
    steps are the same throughout.

    ## When it is harmless
    In a last layer, or a branch, that begins at zero on purpose: its units differ after a step. Where the loss has come
    down to a small part of that of guessing, this is a remark.

    ## What to do
    Random initial weights.
    """
    noted = [(p, c) for p, c in case.noted if c.alike]
    settled = [(p, c) for p, c in noted if p.step >= case.start + SETTLED_BY]
    made = [(p, c) for p, c in noted if p.step == case.start and _made_alike(case, p, c)]
    if not settled and not made:
        yield from _copies(case)
        return
    observed, conditions = (settled or made)[-1]
    hidden = _hidden(case, observed, conditions)
    if not hidden:
        yield from _copies(case)
        return
    yield {
        "module": common_module([leaf.rpartition(".")[0] for leaf in hidden]),
        "weight": hidden[0],
        "who": f"all units of {hidden[0]}",
        "count": len(hidden),
        "step": observed.step,
        "parameters": hidden[:20],
        "others": f" (and those of {len(hidden) - 1} other weights)" if len(hidden) > 1 else "",
        "onset": "start",
        "harm": case.harm(0.97, 0.5, 0.6 if math.isnan(case.skill) else 0.2, 0.6),
    }


SAME = 1e-5
"""Relative, between norms of copies: their gradients are sums of the same numbers in another order."""


def _copies(case: Case) -> Found:
    """Weight matrices that are, and stay, copies of each other, of most of what is trained."""
    seen = [u for u in case.finite_updates if u.step >= case.start + SETTLED_BY]
    if len(seen) < 2:
        return
    held = [n for n in case.weights if len(case.run.parameters[n].shape) > 1]
    course = {n: np.array([[u.weight[n], u.gradient[n], u.update[n]] for u in seen]) for n in held}
    moving = [n for n in held if (course[n] > 0).all() and np.isfinite(course[n]).all()]
    alike = {n for pair in combinations(moving, 2) if _same(case, course, *pair) for n in pair}
    copied = [case.run.parameters[n] for n in moving if n in alike]
    if not copied or sum(p.size for p in copied) < MOST_OF_IT * sum(case.run.parameters[n].size for n in moving):
        return
    yield {
        "module": common_module([p.module for p in copied]),
        "weight": copied[0].name,
        "who": f"{copied[0].name} and {len(copied) - 1} more weights",
        "count": len(copied),
        "step": seen[-1].step,
        "parameters": [p.name for p in copied[:20]],
        "others": "",
        "onset": "start",
        "harm": case.harm(0.97, 0.5, 0.6 if math.isnan(case.skill) else 0.2, 0.6),
    }


def _same(case: Case, course: Mapping[int, NDArray[np.float64]], one: int, other: int) -> bool:
    if case.run.parameters[one].shape != case.run.parameters[other].shape:
        return False
    last = zip(course[one][-1], course[other][-1], strict=True)
    alike = all(math.isclose(a, b, rel_tol=2 * SAME) for a, b in last)
    return alike and bool(np.allclose(course[one], course[other], rtol=SAME, atol=0))


def _hidden(case: Case, observed: Pass, conditions: Conditions) -> list[str]:
    """The leaves whose units are alike, less the one nearest to the loss."""
    leaves = [observed.flow.topology.operations[index].leaf for index in conditions.alike]
    last = min(case.leaf_scales(observed), key=lambda item: item[1], default=("", 0, 0.0))[0]
    return [leaf for leaf in leaves if leaf and leaf != last]


def _made_alike(case: Case, observed: Pass, conditions: Conditions) -> bool:
    """Whether most of the hidden weights began at a constant other than zero: biases alone tell their units apart."""
    last = min(case.leaf_scales(observed), key=lambda item: item[1], default=("", 0, 0.0))[0]
    sizes = {name: case.parameters[name].size for name, _, _ in case.leaf_scales(observed) if name in case.parameters}
    norms = case.weight_norms(observed.step)
    alike = sum(sizes.get(name, 0) for name in _hidden(case, observed, conditions) if norms.get(name, 0.0) > 0)
    return alike > MOST_OF_IT * sum(size for name, size in sizes.items() if name != last)


@diagnosis(
    "UT107",
    "frozen-as-made",
    message="{count} weight matrices of {where} require no gradient, {share:.0%} of the weights used, "
    "and are as they were made: at random, from no training",
    advice="Load the pretrained weights, or let them be trained: requires_grad_(True), before the optimizer is built.",
    source="PyTorch's initialisation of linear layers and convolutions (uniform up to 1 over the root of the fan-in), "
    "of embeddings (normal) and that of transformers (normal, deviation 0.02), by bound, moments and how often they "
    "were written to",
)
def frozen_as_made(case: Case) -> Found:
    """A frozen trunk that was never trained.

    ## What it means
    Freezing keeps what was learned. Here nothing was: the entries of the frozen weights are distributed as they are
    drawn, and of small ones, which that does not tell, nothing was ever written over them. What is trained behind them
    sees random features.

    ## When it is harmless
    Where random features are meant, and suffice, as the loss shows by falling (a remark).

    ## What to do
    Load the weights before freezing, and check what `load_state_dict` says is missing; or do not freeze.
    """
    for facts in case.events("frozen"):
        trained = reached([p for p in case.passes if p.step >= facts["step"]])
        fresh = [case.parameters[name] for name in facts["parameters"] if name in case.parameters]
        used = [
            p for p in case.run.parameters if p.used and len(p.shape) > 1 and (not p.trainable or p.name in trained)
        ]
        share = sum(p.size for p in fresh) / max(1, sum(p.size for p in used))
        if share < MOST_OF_IT:
            continue
        yield {
            "module": common_module([p.module for p in fresh]),
            "count": facts["count"],
            "share": share,
            "parameters": facts["parameters"][:20],
            "onset": "start",
            "harm": case.harm(0.85, 0.4, 0.15, 0.6),
        }
        return
