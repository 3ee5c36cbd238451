"""One observed training: what happens at each backward pass and at each step."""

from __future__ import annotations

import gc
import math
import os
import sqlite3
import traceback
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from undertow.errors import StoreError
from undertow.observe.attach import Attachment, compiler_in_use
from undertow.observe.catalogue import Catalogue
from undertow.observe.cuts import stop_all
from undertow.observe.evaluations import Evaluations
from undertow.observe.frames import source_of, user_frame
from undertow.observe.guard import Guard
from undertow.observe.ledger import Entry, Ledger
from undertow.observe.lines import Lines
from undertow.observe.losses import Losses
from undertow.observe.pace import Pace
from undertow.observe.pairs import Pairs
from undertow.observe.roster import Roster
from undertow.observe.sample import Held, Sample
from undertow.observe.sampler import Sampler
from undertow.observe.told import told, unkept
from undertow.observe.transfers import Transfers
from undertow.store import Event
from undertow.store.writer import Writer

__all__ = ["Session"]

FLUSH_SECONDS = 1.0
"""Losses are written at least this often: a kill loses no more."""


class Session:
    """Observes whatever trains between `start` and `finish`, and writes it to a store.

    A step ends when the leading optimizer has stepped: the first one, or one that steps twice before
    the leader does. In a loop that moves its weights by hand, a step ends where the same line starts
    the next backward pass.
    """

    def __init__(
        self,
        writer: Writer,
        sampler: Sampler,
        model: nn.Module | None = None,
        optimizer: Optimizer | None = None,
    ):
        self.step = self.passes = self._seen = self._leaders = 0
        self._writer, self._sampler, self._roster = writer, sampler, Roster()
        self._only, self._guard = optimizer, Guard(self._fault)
        self._catalogue = Catalogue(self._roster, self._guard)
        self._ledger = Ledger(self._catalogue, writer)
        self._pairs = Pairs(self._roster, self._ledger)
        self._lines, self._evaluations = Lines(self._guard), Evaluations(self._guard)
        self._transfers = Transfers(self._roster, self._guard, self._ledger)
        self._attachment = Attachment(self, self._lines, self._evaluations, self._transfers)
        self._began = self._flushed = 0.0
        self._sample: Sample | None = None
        self._held: Held = {}
        self._compiled = self._born = False
        self._sites, self._losses, self._pace, self._beyond = dict[str, int](), Losses(), Pace(), 0.0
        self._stepped: list[weakref.ref[Optimizer]] = []
        self._leader: weakref.ref[Optimizer] | None = None
        self._by_hand: bool | None = None
        self._visited: set[int] = set()
        self.unstored: StoreError | None = None
        self.listener: Callable[[], None] | None = None
        if model is not None:
            self._roster.meet_model(model)

    # from start to finish

    def start(self) -> None:
        self._began = self._flushed = perf_counter()
        try:
            threads = torch.get_num_threads()
            self._writer.meta(state="running", pid=os.getpid(), torch=torch.__version__, threads=threads)
        except sqlite3.Error as error:
            self._guard.broken = True
            self._lose(error)
            return
        self._attachment.install()
        if compiler_in_use():
            self.compile_called()
        self._guard.spent += perf_counter() - self._began
        self._begin_step()

    def finish(self, state: str, exception: BaseException | None = None, signal: str = "") -> None:
        """Take everything off, and write what is left to write."""
        self._attachment.remove()
        if self._sample is not None:
            self._guard(self._end_sample, exception is not None)
        stop_all()
        self._guard(self._losses.fetch)
        self._guard(self._flush, True)
        try:
            if exception is not None:
                self._writer.event(Event(self.step, "exception", told(exception)))
            if signal:
                self._writer.event(Event(self.step, "interrupted", {"signal": signal}))
            seconds, spent, transformed = perf_counter() - self._began, self._guard.spent, self._attachment.transformed
            figures = {"seconds": seconds, "observing": spent, "compiled": self._compiled, "transformed": transformed}
            self._writer.meta(state=state, steps=self.step, passes=self.passes, leaders=self._leaders, **figures)
        except sqlite3.Error as error:
            self._lose(error)

    def told(self) -> str:
        """How the training stands, in a few words."""
        loss = "" if self._losses.last is None else f", loss {self._losses.last:.4g}"
        return f"step {self.step:,}{loss}, {self._seen:,} observed"

    def _fault(self, fault: Exception) -> None:
        """Our own mistake, or a store that cannot be written: let go of the training at once."""
        sample, self._sample = self._sample, None
        if sample is not None:
            sample.release()
        try:
            self._writer.abandon()
            if isinstance(fault, sqlite3.Error):
                self._lose(fault)
            self._writer.event(Event(self.step, "fault", told(fault) | {"traceback": traceback.format_exc()}))
        except sqlite3.Error as error:
            self._lose(error)

    def _lose(self, error: sqlite3.Error) -> None:
        self.unstored = self.unstored or unkept(error, self.step, self._writer.folder)

    # what the training does

    def backward_begins(self, outputs: Sequence[Any], seeds: Sequence[Any], accumulates: bool, to_leaves: bool) -> None:
        self._guard(self._backward_begins, outputs, seeds, accumulates, to_leaves)

    def backward_ended(self, completed: bool) -> None:
        if self._sample is not None:
            self._guard(self._sample.pass_ended, completed)

    def backward_within(self, outputs: Sequence[Any]) -> None:
        if self._sample is not None:
            self._guard(self._sample.passes_within, outputs)

    def step_begins(self, optimizer: Optimizer) -> None:
        if self._sample is None and self._leader is not None and not self._pairs.looking:
            return
        if self._only is None or optimizer is self._only:
            self._guard(self._step_begins, optimizer)

    def step_ended(self, optimizer: Optimizer) -> None:
        if self._only is None or optimizer is self._only:
            self._guard(self._step_ended, optimizer)

    def loss_scaled(self, scaler: GradScaler, scaled: Any) -> None:
        self._losses.scaled_by(scaler, scaled)

    def evaluated(self, name: str, loss: Any) -> None:
        """A loss of held-out data was noted by hand."""
        self._guard(self._evaluations.add, name, loss)

    def compile_called(self) -> None:
        self._compiled = True
        self._attachment.stand_aside()
        self._guard(partial(self._ledger.tell_once, self.step, "compiled", seen="from the outside, as one operation"))
        if self._sample is not None:
            self._sample.stop_naming()

    # and what that means

    def _backward_begins(
        self, outputs: Sequence[Any], seeds: Sequence[Any], accumulates: bool, to_leaves: bool
    ) -> None:
        source = source_of(user_frame())
        if source not in self._sites and self._sites and self._sample is None:
            self._sampler.elsewhere()
        site = self._sites.setdefault(source, len(self._sites))
        if self._moves_by_hand(site):
            self._end_step()
        self._visited.add(site)
        self.passes += 1
        loss, scale = self._note_loss(site, outputs[0])
        if not math.isfinite(loss) and not self._born:
            self._trace_birth(outputs)
        if self._sample is not None:
            entry = Entry(self.step, site, loss, scale)
            hand = self._leader is None and self._by_hand is not False
            self._sample.pass_begins(outputs, seeds, entry, accumulates=accumulates, to_leaves=to_leaves, by_hand=hand)

    def _moves_by_hand(self, site: int) -> bool:
        """Whether a pass from the same line again, with no optimizer anywhere, means that a step has passed."""
        if site not in self._visited or self._leader is not None:
            return False
        if self._by_hand is None:
            self._by_hand = not any(issubclass(type(thing), Optimizer) for thing in gc.get_objects())
        return self._by_hand

    def _step_begins(self, optimizer: Optimizer) -> None:
        if self._sample is not None or self._leader is None:
            self._roster.meet_optimizer(optimizer)
        if self._sample is not None:
            self._sample.step_begins(optimizer)
        if self._pairs.looking:
            self._pairs.step_begins(optimizer)

    def _step_ended(self, optimizer: Optimizer) -> None:
        if self._sample is not None:
            self._sample.step_ended(optimizer)
        leader = self._leader() if self._leader is not None else None
        self._leaders += leader is None
        if leader is None or any(ref() is optimizer for ref in self._stepped):
            self._leader, leader = weakref.ref(optimizer), optimizer
        self._stepped.append(weakref.ref(optimizer))
        if self._ledger.rates.note(self.step, optimizer):
            self._roster.meet_optimizer(optimizer)
        if optimizer is leader:
            self._end_step()

    def _end_step(self) -> None:
        now = perf_counter()
        if self._pairs.looking and self._pairs.step_ended():
            self._sampler.paired(self._pairs.step, self._pairs.cost)
        if self._sample is not None:
            self._end_sample(broken_off=False)
        elif self.step:
            self._pace.step_ended(now)
        if now - self._flushed > FLUSH_SECONDS:
            self._flush()
        self.step = self._evaluations.step = self._transfers.step = self.step + 1
        self._stepped.clear()
        self._visited.clear()
        self._begin_step()

    def _begin_step(self) -> None:
        now = perf_counter()
        self._pace.step_begins(now)
        if self._sampler.wants(self.step, now - self._began, self._guard.spent + self._beyond):
            parts = self._catalogue, self._ledger
            self._sample = Sample(*parts, naming=not self._compiled, before=self._guard.spent, held=self._held)
        self._held = {}
        if not self._pairs.looking and self._sampler.wants_pair(self.step, now - self._began):
            self._pairs.begin(self.step)

    def _end_sample(self, broken_off: bool) -> None:
        sample, self._sample = self._sample, None
        if sample is None:
            return
        began = perf_counter()
        sample.end(self.step, broken_off)
        for facts in self._lines.new(self._roster.numbers):
            self._ledger.tell(self.step, "line", facts)
        self._held = sample.held
        self._losses.fetch()
        self._seen += 1
        now = perf_counter()
        cost = self._guard.spent - sample.before + now - began
        beyond = self._pace.beyond(now, cost)
        self._beyond += beyond
        self._sampler.observed(self.step, cost + beyond)

    def _flush(self, names: bool = False) -> None:
        self._writer.begin()
        self._writer.sites([*self._sites])
        self._writer.losses(self._losses.rows)
        self._writer.evaluations(self._evaluations.rows(all_of_them=names))
        self._ledger.write(names=names)
        self._writer.meta(steps=self.step, passes=self.passes)
        self._writer.commit()
        self._losses.rows.clear()
        self._flushed = perf_counter()
        if self.listener is not None:
            self.listener()

    def _note_loss(self, site: int, output: Any) -> tuple[float, Any]:
        """The loss, and what it was multiplied by; both stay on another device between samples."""
        now = self._sample is not None
        scale = self._losses.scale_of(output, now=now)
        loss = self._losses.note(self.step, site, output, scale, perf_counter() - self._began, now=now)
        if self._losses.spiked:
            self._sampler.happening()
        return loss, scale

    def _trace_birth(self, outputs: Sequence[Any]) -> None:
        facts = self._catalogue.birth(outputs, self._sample.naming if self._sample is not None else None)
        if facts is None:
            return
        self._born = True
        if facts["phase"] == "parameters" and (sound := self._losses.sound) is not None:
            facts |= {"between": [sound, self.step], "focus": sound}
        self._ledger.tell(self.step, "birth", facts)
