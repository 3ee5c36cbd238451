"""Faults of attention."""

from __future__ import annotations

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Attention, Pass

__all__: list[str] = []

SETTLED = 0.8
"""Share of heads and examples whose attention has settled on one key."""

NARROW = 0.1
"""Entropy over that of a uniform attention, on the average over heads and examples."""


@diagnosis(
    "UT105",
    "settled-attention",
    message="the attention of {where} rests on one of {keys} keys (to 99.9 % in {share:.0%} of heads and examples; "
    "entropy {entropy:.0%} of a uniform one's): its softmax has hardly a slope left",
    advice="{remedy}",
    source="Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1; Zhai et al. 2023, Stabilizing Transformer Training "
    "by Preventing Attention Entropy Collapse, arXiv:2303.06296",
)
def settled_attention(case: Case) -> Found:
    """Attention that rests on one key, whatever the query.

    ## What it means
    Where the scores are far apart the softmax is 1 at one key and 0 at the others, and its derivative is 0: what to
    look at can no longer be learned, and no gradient reaches queries and keys. Scores grow with the width unless
    they are divided by its root.

    ## When it is harmless
    In heads that have learned to look at one place, where the loss falls: settled since, it is a remark unless most is
    left to learn.

    ## What to do
    Divide the scores by √d; normalise queries and keys; warm up.
    """
    for onset, passes in (("start", case.early), ("later", case.late[-3:])):
        found = [(p, a) for p in passes if p.conditions is not None for a in p.conditions.attentions if a.keys > 2]
        if not found or np.mean([a.settled >= SETTLED or a.entropy <= NARROW for _, a in found]) < 0.5:
            continue
        observed, attention = max(found, key=_by_share)
        yield case.place(observed, attention.operation) | {
            "share": attention.settled,
            "keys": attention.keys,
            "entropy": float(np.mean([a.entropy for _, a in found])),
            "onset": onset,
            "remedy": "Divide the scores by the root of their width, and look at the scale of queries and keys."
            if onset == "start"
            else "Lower the learning rate or warm up: it settled during training. Normalise queries and keys.",
            "harm": case.harm(0.85, 0.4, 0.15, 0.55 if onset == "start" or case.learned_little else None),
        }
        return


def _by_share(item: tuple[Pass, Attention]) -> float:
    return item[1].settled
