"""The search for what would bring a training onward, tried out from where it stands."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from undertow.engine.example import listed
from undertow.errors import StandstillError
from undertow.standstill.escape import Escape, escape
from undertow.standstill.ground import Ground, Slope, curved, slope, unfelt
from undertow.standstill.standstill import Standstill
from undertow.standstill.training import Training
from undertow.standstill.trials import AS_IT_GOES, Along, Balanced, Fresh, Newton, Rate, Trial, Whole
from undertow.standstill.tried import Plan, Tried, above_zero, tried
from undertow.standstill.words import Kind

__all__ = ["standstill"]

LEAST = 16
"""Steps of a trial, so that its quarters have looks enough."""

WORTH = 0.01
"""The least fall of the loss that counts, as a share of it."""

GROWN = 2.0
"""A loss that falls by so many times what its gradient promised falls mostly by a gradient that was not there yet."""

REPEATS = 4
"""Of the trials that depend on the order of the batches."""

MORE = 4
"""Times as many, where they turn out to be too few."""

LARGER = (10.0, 100.0, 1000.0)


def standstill(
    model: nn.Module,
    loss_fn: Callable[[Any, Any], Tensor],
    batches: Any,
    optimizer: Optimizer,
    *,
    steps: int = 100,
    worth: float | None = None,
) -> Standstill:
    """Say why a training stands still, by short trainings onward from where it stands.

    Each trial does one thing otherwise: a smaller rate, all batches in every step, a larger rate, a step along the
    direction of negative curvature, … What brings the loss down tells why it stood. Trials that depend on the order of
    the batches are repeated, against the same orders with nothing changed, so that every gain has an error. Model,
    optimizer and random numbers are afterwards as they were, to the last bit.

    Args:
        model: As it stands, in the mode it is trained in.
        loss_fn: Takes the model's output and the targets, and gives one number.
        batches: The batches of the training, or a fair part of them, each of the size that a step takes: a list of
            pairs (inputs, targets) or mappings. One batch alone is taken for all the data there is.
        optimizer: As it stands: its state (momentum, second moments) is gone on with.
        steps: Of each trial: the time over which a fall counts.
        worth: The least fall of the loss, over so many steps, that counts; one hundredth of it if left out.

    Returns:
        The kind, with what was measured. A trial costs as many passes as it has steps; those over all batches cost as
        many for each, and at least eight where modules draw random numbers. There are at most twelve.

    Raises:
        PreflightError: The batches are of another kind, or what comes out is no loss.
        StandstillError: There are too few steps, the optimizer holds nothing of the model, or the loss diverges.
    """
    if steps < LEAST:
        raise StandstillError(f"in {steps} steps a fall cannot be told from chance\n  Take {LEAST} or more.")
    training = Training(model, loss_fn, listed(batches), optimizer)
    with training.alone(), training.untouched():
        if not training.parameters:
            raise StandstillError(
                "the optimizer holds no parameter of this model that requires a gradient\n"
                "  No step of it can change the loss. Pass the model that it was made for."
            )
        loss = training.loss()
        plan = Plan(steps, REPEATS, abs(loss) * WORTH if worth is None else worth)
        search = _Search(training, plan, loss, slope(training))
        found = search.answer()
        return search.again(MORE).answer() if found.in_doubt else found


@dataclass(frozen=True)
class _Search:
    """The trials, in the order in which one makes the next needless."""

    training: Training
    plan: Plan
    loss: float
    slope: Slope
    trials: list[Tried] = field(default_factory=list)
    unfelt: list[str] = field(default_factory=list)

    def answer(self) -> Standstill:
        if not all(map(math.isfinite, self.going.ends)):
            raise StandstillError(
                f"within {self.plan.steps} steps the loss is no number: it diverges, it does not stand\n"
                "  Lower the learning rate, and see that the model is in the mode it is trained in (model.train())."
            )
        if self.going.falls(self.plan.worth):
            return self._found("falling")
        for look in (
            self._stirred,
            self._on_a_saddle,
            self._slow,
            self._flat,
            self._behind_a_saddle,
            self._in_a_valley,
        ):
            found = look()
            if found is not None:
                return found
        return self._found("minimum", confirmed=self.ground is not None)

    def again(self, times: int) -> _Search:
        """The same with so many times the repeats."""
        return replace(self, plan=replace(self.plan, repeats=times * self.plan.repeats), trials=[], unfelt=[])

    @cached_property
    def going(self) -> Tried:
        """Nothing changed."""
        return self._try(AS_IT_GOES)

    @cached_property
    def ground(self) -> Ground | None:
        return curved(self.training)

    @cached_property
    def escape(self) -> Escape | None:
        ground = self.ground
        if ground is None or not ground.curves_down:
            return None
        return escape(self.training, ground.lowest, self.slope.direction)

    @cached_property
    def newton(self) -> Tried:
        """What there is to be had by any way downhill."""
        return self._try(Newton(self.plan.steps))

    @cached_property
    def smaller(self) -> Tried:
        return self._try(Rate(0.1))

    @cached_property
    def still(self) -> Tried:
        """Without noise, where there is some."""
        return self._try(Whole()) if AS_IT_GOES.random(self.training) else self.going

    def _stirred(self) -> Standstill | None:
        """Smaller steps, or the same without noise, help."""
        helps = self._helps(self.smaller) or self._helps(self.still)
        return self._found(self._stir()) if helps else None

    def _stir(self) -> Kind:
        """Which of them brings it down tells noise from steps too large."""
        smaller, still = self.smaller.gain(self.going), self.still.gain(self.going)
        return "noise-floor" if still.value > smaller.value / 2 and above_zero(still) else "bouncing"

    def _on_a_saddle(self) -> Standstill | None:
        way = self.escape
        if way is None or not way.by_curvature:
            return None
        return self._found("saddle") if self._helps(self._try(Along(way.direction, way.length))) else None

    def _slow(self) -> Standstill | None:
        """Larger steps help: whether by the gradient that there is, or by one that grows on the way."""
        for trial in (*map(Rate, LARGER), Balanced()):
            larger = self._try(trial)
            if self._helps(larger):
                return self._found("plateau" if larger.fell > GROWN * larger.promised else "step-too-small")
        return None

    def _flat(self) -> Standstill | None:
        """The loss does not depend on some weights, which help when begun anew; or on most, begun anew or not."""
        self.unfelt.extend(unfelt(self.training, WORTH))
        modules = {name.rpartition(".")[0] for name in self.unfelt}
        able = {name: self.training.model.get_submodule(name) for name in sorted(modules)}
        able = {name: module for name, module in able.items() if hasattr(module, "reset_parameters")}
        if able and self._begun_anew(able):
            return self._found("plateau")
        flat = self._most(self.unfelt) and all(self._flat_anew(able, seed) for seed in range(self.plan.repeats))
        return self._found("plateau", confirmed=False) if flat else None

    def _flat_anew(self, modules: dict[str, nn.Module], seed: int) -> bool:
        """Whether most weights are not felt with these begun anew either: that they did not help says nothing."""
        with self.training.untouched():
            torch.manual_seed(seed)
            Fresh([*modules.values()], [*modules]).prepare(self.training)
            return self._most(unfelt(self.training, WORTH))

    def _most(self, names: Sequence[str]) -> bool:
        """Whether these are most of the weights."""
        sizes = {name: p.numel() for name, p in self.training.parameters.items() if p.ndim > 1}
        return 2 * sum(sizes[name] for name in names) > sum(sizes.values())

    def _begun_anew(self, modules: dict[str, nn.Module]) -> bool:
        """Whether these, begun anew, bring the loss down: as training goes, or by a better method more than without."""
        names, begun = [*modules], [*modules.values()]
        if self._helps(self._try(Fresh(begun, names))):
            return True
        return self._try(Fresh(begun, names, Newton(self.plan.steps))).helps(self.newton, self.plan.worth)

    def _behind_a_saddle(self) -> Standstill | None:
        """Past the direction of negative curvature lies more than before it, though the way there is long."""
        if self.escape is None:
            return None
        beyond = self._try(Along(self.escape.direction, self.escape.length, Newton(self.plan.steps)))
        return self._found("saddle") if beyond.helps(self.newton, self.plan.worth) else None

    def _in_a_valley(self) -> Standstill | None:
        """A better method helps, and by more than mere calm, whose gain may have been just short of what counts."""
        if not self._helps(self.newton):
            return None
        calm = max(self.smaller.gain(self.going).value, self.still.gain(self.going).value)
        return self._found("valley" if self.newton.gain(self.going).value > 2 * calm else self._stir())

    def _try(self, trial: Trial) -> Tried:
        seen = tried(self.training, trial, self.plan, self.slope.direction)
        self.trials.append(seen)
        return seen

    def _helps(self, seen: Tried) -> bool:
        return seen.helps(self.going, self.plan.worth)

    def _found(self, kind: Kind, *, confirmed: bool = True) -> Standstill:
        known = self.__dict__  # what was measured on the way, and nothing more
        return Standstill(
            kind=kind,
            confirmed=confirmed,
            loss=self.loss,
            plan=self.plan,
            slope=self.slope,
            ground=known.get("ground"),
            escape=known.get("escape"),
            unfelt=tuple(self.unfelt),
            trials=tuple(self.trials),
        )
