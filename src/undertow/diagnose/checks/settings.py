"""Settings of optimizers that keep them from doing what they are for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []

MOSTLY = 0.8
"""Share of the weights by which an epsilon counts as larger than the gradients."""


@diagnosis(
    "UT311",
    "dominating-epsilon",
    act="made",
    message="the gradients of {share:.0%} of the weight matrices are smaller than the epsilon ({eps:g}) that "
    "{optimizer} adds before it divides by them: its steps shrink with the gradient",
    advice="Lower eps to well below the gradients (their root mean square is about {gradient:.1g}), "
    "or multiply the loss.",
    source="Kingma & Ba 2015, arXiv:1412.6980; Choi et al. 2019, arXiv:1910.05446",
)
def dominating_epsilon(case: Case) -> Found:
    """An epsilon larger than what it is added to.

    ## What it means
    Adam and RMSprop divide each step by the gradient's own size. Epsilon is there so that this is no division by 0.
    Where it is larger than the gradient, it decides: the optimizer is gradient descent with a rate of lr/eps.

    ## When it is harmless
    Where it is meant so, as in tasks where a large epsilon is usual, and the loss falls.

    ## What to do
    Lower epsilon, or scale the loss up. Under a vanishing gradient, look for what makes it vanish.
    """
    for optimizer in case.run.optimizers:
        eps = optimizer.settings.get("eps")
        if not any(word in optimizer.kind.lower() for word in ("adam", "rmsprop", "adabelief", "adagrad")):
            continue
        typical = _typical_gradients(case)
        if not isinstance(eps, float) or len(typical) == 0:
            continue
        share = float((typical < eps).mean())
        if share >= MOSTLY and typical.max() > 0:
            yield {
                "share": share,
                "eps": eps,
                "optimizer": optimizer.kind,
                "gradient": float(np.median(typical)),
                "onset": "start",
                "harm": case.harm(0.88, 0.3, 0.1, 0.6),
            }
            return


def _typical_gradients(case: Case) -> NDArray[np.float64]:
    """For each weight matrix, the largest root mean square of its gradient that was seen."""
    weights = np.array(case.weights, dtype=np.int64)
    sizes = np.sqrt([case.run.parameters[n].size for n in weights])
    seen = [u.gradient[weights] / sizes for u in case.finite_updates if np.isfinite(u.gradient[weights]).any()]
    if len(seen) < 2:
        return np.empty(0)
    largest: NDArray[np.float64] = np.fmax.reduce(seen)
    return largest[np.isfinite(largest)]


@diagnosis(
    "UT312",
    "momentum-out-of-range",
    act="made",
    message="{optimizer} has {setting}: {how}",
    advice="{remedy}",
    source="Kingma & Ba 2015, arXiv:1412.6980, whose convergence asks for beta1 below √beta2; "
    "Sutskever, Martens, Dahl & Hinton 2013",
)
def momentum_out_of_range(case: Case) -> Found:
    """A momentum, or a pair of betas, with which the optimizer cannot settle.

    ## What it means
    Momentum m adds up the last 1/(1-m) gradients: at 0.999 a thousand, and a step as large as all of them. Adam
    divides the mean of the last gradients by their size; if it forgets the size sooner than the mean, one small
    gradient after large ones makes a huge step.

    ## When it is harmless
    A large momentum in a run of many times its length, with a rate chosen for it.

    ## What to do
    Momentum 0.9, betas (0.9, 0.999).
    """
    for optimizer in case.run.optimizers:
        betas, momentum = optimizer.settings.get("betas"), optimizer.settings.get("momentum")
        if isinstance(betas, list) and len(betas) == 2 and betas[1] > 0 and betas[0] > math.sqrt(betas[1]):
            facts = {
                "setting": f"betas ({betas[0]:g}, {betas[1]:g})",
                "how": "it forgets the size of the gradients sooner than their mean",
                "remedy": "Use betas=(0.9, 0.999); are they the wrong way round?",
            }
        elif isinstance(momentum, (int, float)) and _reach(momentum) > max(50, case.run.steps / 4):
            facts = {
                "setting": f"momentum {momentum:g}",
                "how": f"each step adds up {_reach(momentum):.3g} gradients, in a run of {case.run.steps} steps",
                "remedy": "Use a momentum of 0.9.",
            }
        else:
            continue
        yield facts | {"optimizer": optimizer.kind, "onset": "start", "harm": case.harm(0.9, 0.3, 0.1, 0.6)}
        return


def _reach(momentum: float) -> float:
    """How many gradients a momentum adds up."""
    return 1 / max(1 - momentum, 1e-9)
