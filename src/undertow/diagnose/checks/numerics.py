"""Faults of the numbers: where the first non-finite one was born."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.checks.head import names_in
from undertow.diagnose.checks.spelled import squash_of
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Pass

__all__: list[str] = []


@diagnosis(
    "UT801",
    "non-finite-birth",
    message="{story}",
    advice="{remedy}",
    source="IEEE 754; PyTorch documentation, Numerical accuracy",
)
def non_finite_birth(case: Case) -> Found:
    """The first infinity or NaN of the run, and the operation that made it.

    ## What it means
    Once a value is not finite, so is every gradient that depends on it, and after one step every weight.

    ## When it is harmless
    Under a gradient scaler, which skips such steps by design: these are not reported. A mean over nothing, as of a
    batch of which no target counts, sends back no gradient, so a training that meets one now and then goes on.

    ## What to do
    A softmax by hand wants the largest score taken off before the exponential: its result is the same.
    See the operation and what went into it: a logarithm or a division at 0 wants a small constant added inside;
    a square root or a norm at 0 has an infinite slope; an overflow wants a smaller rate or scale.
    """
    facts = next(_born(case), None)
    if facts is None:
        return
    grew = _grew(case)
    operation = facts.get("operation", "")
    own = (
        facts["phase"] in {"data", "nothing"}
        or "eps" in facts
        or (_by_domain(operation) and not _overflows(facts))
        or _bare_share(case, facts)
    )
    harm = SURVIVED if facts["phase"] == "nothing" and case.learned else 0.98 if own or grew <= 10 else 0.6
    yield facts | {"loss_grew": grew, "onset": "start" if own else "later", "harm": harm}


SURVIVED = 0.2
"""Of a mean over nothing now and then: no gradient comes from what is not there, so the weights stay finite."""


def _bare_share(case: Case, facts: Mapping[str, Any]) -> bool:
    """Whether it is the exponential of a softmax or sigmoid written by hand, and was there before any step was made.

    Such a share is the same with the largest score taken off first, and then bears scores of any size.
    """
    if facts.get("operation") != "ExpBackward0" or int(facts["step"]) != case.start:
        return False
    first = case.run.passes[:1]
    return any(squash_of(p, i) for p in first for i, name in enumerate(names_in(p)) if name == "DivBackward0")


def _born(case: Case) -> Iterator[dict[str, Any]]:
    backward = next((found for p in case.run.passes if (found := _backward(case, p))), None)
    for facts in case.events("birth"):
        if backward is not None and backward["step"] < int(str(facts["step"])):
            yield backward
        yield _told(facts | _in_update(case, facts))
    if backward is not None:
        yield backward


STORIES = {
    "parameters": (
        "before step {step} began, {count} parameters were no longer finite ({names}, …): "
        "the number was born in the backward pass or the update before it",
        "Run again with --focus {before} to see the operation, and look for square roots, norms and divisions at 0.",
    ),
    "update": (
        "the optimizer's step {before} made the first non-finite weights ({names}, …), of gradients that were finite",
        "{by_update}",
    ),
    "data": (
        "a non-finite value came in with the data, at {kind} in {where}, step {step}",
        "Look for NaN and infinity in the inputs, before they reach the network.",
    ),
    "forward": (
        "{kind} in {where} made the first non-finite value in the forward pass of step {step}, from {ranges}",
        "{by_kind}",
    ),
    "nothing": (
        "{kind} in {where} is a mean over nothing at step {step}, and 0 / 0 is not a number: {why}",
        "{by_why}",
    ),
    "unknown": (
        "the loss of step {step} is not finite; the tensors saved by the forward pass do not tell where it was born",
        "Run again with --focus {step}.",
    ),
    "backward": (
        "the backward pass of {kind} in {where} made the first non-finite value, at step {step}, "
        "while the loss was finite",
        "{by_kind}",
    ),
}
"""What happened, and what to do, by where the number was born."""


def _told(facts: dict[str, Any]) -> dict[str, Any]:
    """A birth as evidence, with its story."""
    kind = str(facts.get("operation", "")).split("Backward")[0]
    words = {
        "step": facts["step"],
        "before": max(0, facts["step"] - 1),
        "count": facts.get("count", 0),
        "names": ", ".join(facts.get("parameters", [])[:3]),
        "kind": kind,
        "where": facts.get("module") or "the model",
        "ranges": _ranges(facts.get("inputs", {})),
        "by_kind": _remedy(kind, facts.get("inputs", {})),
        "by_update": facts.get("by_update", ""),
        **_of_nothing(facts),
    }
    story, remedy = STORIES[facts["phase"]]
    kept = ("module", "operation", "source", "phase", "step", "inputs", "parameters", "eps")
    return {name: facts[name] for name in kept if name in facts} | {
        "story": story.format_map(words),
        "remedy": remedy.format_map(words),
    }


SMALLEST = {"float16": 2.0**-25}
"""What a number of this format has to be above, not to be rounded to 0; the range of others is that of float32."""


def _in_update(case: Case, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What to tell of weights that the step before left non-finite although it was given finite gradients."""
    if facts["phase"] != "parameters":
        return {}
    numbers = [n for n, p in enumerate(case.run.parameters) if p.name in facts["parameters"]]
    before = [u for u in case.run.updates if u.step == facts["step"] - 1 and numbers]
    if not any(_finite(u.weight[numbers], u.gradient[numbers]) and not _finite(u.update[numbers]) for u in before):
        return {}
    formats = {case.run.parameters[n].dtype for n in numbers}
    for optimizer in case.run.optimizers:
        for kind in formats & set(SMALLEST):
            if 0 < (eps := float(optimizer.settings.get("eps", 0))) < SMALLEST[kind]:
                return {"phase": "update", "eps": eps, "by_update": ROUNDED.format(eps=eps, kind=kind)}
    return {"phase": "update", "by_update": "Look at the learning rate and at what the optimizer divides by."}


def _finite(*values: NDArray[np.float64]) -> bool:
    return all(bool(np.isfinite(each).all()) for each in values)


ROUNDED = (
    "The optimizer's eps of {eps:.0e} is 0 in {kind}, so a weight whose gradient is 0 moves by 0 / 0. Keep the weights "
    "in float32 and let torch.autocast compute in {kind}; or set an eps of 1e-4."
)


def _of_nothing(facts: Mapping[str, Any]) -> dict[str, str]:
    """Why a mean was over nothing, and what to do about it."""
    targets, left_out = facts.get("targets", 0), facts.get("left_out", 0)
    if not targets:
        return {
            "why": "what it is taken of is empty",
            "by_why": "Look at what selects its entries, such as a mask or an index; pass over batches that have none.",
        }
    others = "" if left_out == targets else f", or of a class that weighs 0 ({targets - left_out})"
    return {
        "why": f"none of the {targets} targets counts, since each is the number that the loss passes over "
        f"(ignore_index, -100 unless set){others}",
        "by_why": "Look at how the labels are made: what masks or pads them leaves none, or a cut to length takes "
        "them all. Pass over batches without a target.",
    }


def _ranges(inputs: dict[str, Any]) -> str:
    told = []
    for name, facts in inputs.items():
        if facts.get("low") is not None:
            zeros = f", {facts['zeros']} zeros" if facts.get("zeros") else ""
            told.append(f"{name} between {float(facts['low']):.3g} and {float(facts['high']):.3g}{zeros}")
    return "; ".join(told) or "finite inputs"


DOMAIN = (
    "Acos",
    "Asin",
    "Atanh",
    "Div",
    "LinalgVectorNorm",
    "Log",
    "Norm",
    "Pow",
    "Reciprocal",
    "Rsqrt",
    "Sqrt",
    "Std",
    "Var",
    "Xlogy",
)
"""Operations that make non-finite out of ordinary numbers, where their definition ends."""


LARGEST_ROOT = 1.8e19


def _by_domain(operation: str) -> bool:
    return operation.startswith(DOMAIN) and not operation.startswith(("LogSoftmax", "Logsumexp"))


def _overflows(facts: Mapping[str, Any]) -> bool:
    """Whether what went in was so large that its square leaves the range of float32."""
    ends = [abs(float(i[end])) for i in facts.get("inputs", {}).values() for end in ("low", "high") if i.get(end)]
    return max(ends, default=0.0) > LARGEST_ROOT


def _remedy(kind: str, inputs: Mapping[str, Any]) -> str:
    lows = [float(each["low"]) for each in inputs.values() if each.get("low") is not None]
    if kind in {"Log", "Log10", "Log2", "Sqrt"} and min(lows, default=0.0) < 0:
        return (
            "It is given numbers below 0: scores where probabilities belong, if it is a loss that takes the logarithm. "
            "Put a softmax or sigmoid before it, or use a loss on scores (cross_entropy, "
            "binary_cross_entropy_with_logits); otherwise clamp them."
        )
    if kind.startswith(("Log", "Div", "Reciprocal", "Rsqrt", "Pow", "Sqrt", "Xlogy")):
        return (
            "Keep its input away from 0 (add a small constant, or clamp), or use a loss that does it in a stable way."
        )
    if kind.startswith(("Exp", "Logsumexp", "Softplus", "Cosh", "Sinh")):
        return "Its input is too large: subtract the maximum first, use the log-space form, or clamp."
    return "The numbers grew out of range: scale the inputs, lower the learning rate, or normalise."


def _backward(case: Case, observed: Pass) -> dict[str, Any] | None:
    """The first operation of a pass that was given finite cotangents and sent on something that is not."""
    flow = observed.flow
    if flow.scale != 1 or not math.isfinite(observed.loss):
        return None
    cotangents, contributions = flow.cotangents, flow.contributions
    if all(map(math.isfinite, contributions)):
        return None
    for number, edge in enumerate(flow.topology.edges):
        if math.isfinite(cotangents[edge.sender]) and not math.isfinite(contributions[number]):
            operation = flow.topology.operations[edge.sender]
            facts = {"module": case.module_of(observed, edge.sender), "operation": operation.name}
            return _told(facts | {"source": operation.source, "phase": "backward", "step": observed.step})
    return None


def _grew(case: Case) -> float:
    """How many times its first value the loss reached before it ceased to be finite."""
    losses = case.losses()
    finite = np.abs(losses[np.isfinite(losses)])
    if not len(finite) or finite[0] == 0:
        return 1.0
    return float(finite.max() / finite[0])
