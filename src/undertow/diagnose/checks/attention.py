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
    message="the attention of {where} rests on one of {keys} keys, or on some that score the same (to 99.9 % in "
    "{share:.0%} of heads and examples; entropy {entropy:.0%} of a uniform one's): its softmax has hardly a slope left",
    advice="{remedy}",
    source="Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1; Zhai et al. 2023, Stabilizing Transformer Training "
    "by Preventing Attention Entropy Collapse, arXiv:2303.06296",
)
def settled_attention(case: Case) -> Found:
    """Attention that rests on one key, whatever the query.

    ## What it means
    Where the scores are far apart the softmax is 1 at one key and 0 at the others, and its derivative is 0: what to
    look at can no longer be learned, and no gradient reaches queries and keys. Scores grow with the width unless
    they are divided by its root. The same holds where several keys are equal, as those of one token at several places,
    and share what there is: their values are equal, too.

    ## When it is harmless
    In heads that have learned to look at one place, where the loss falls: settled since, it is a remark unless most is
    left to learn. What was settled before the first step nobody can have learned: where it is so to the end as well, it
    is an alarm, however the loss went. What is learned is learned behind a choice made at random.

    ## What to do
    Divide the scores by √d; normalise queries and keys; warm up.
    """
    ends = _attentions(case.late[-3:])
    for onset, found in (("start", _attentions(case.early)), ("later", ends)):
        if not _rests(found):
            continue
        observed, attention = max(found, key=_by_share)
        made = onset == "start" and _rests(ends)
        yield case.place(observed, attention.operation) | {
            "share": attention.settled,
            "keys": attention.keys,
            "entropy": float(np.mean([a.entropy for _, a in found])),
            "onset": onset,
            "remedy": "Divide the scores by the root of their width, and look at the scale of queries and keys."
            if onset == "start"
            else "Lower the learning rate or warm up: it settled during training. Normalise queries and keys.",
            "harm": case.harm(
                0.85, 0.4, 0.6 if made else 0.15, 0.55 if onset == "start" or case.learned_little else None
            ),
        }
        return


def _attentions(passes: list[Pass]) -> list[tuple[Pass, Attention]]:
    return [(p, a) for p in passes if p.conditions is not None for a in p.conditions.attentions if a.keys > 2]


def _rests(found: list[tuple[Pass, Attention]]) -> bool:
    """Whether at least half of the attentions have settled."""
    return bool(found) and 2 * sum(a.settled >= SETTLED or a.entropy <= NARROW for _, a in found) >= len(found)


def _by_share(item: tuple[Pass, Attention]) -> float:
    return item[1].settled
