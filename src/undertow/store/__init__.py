"""A run on disk: written while it trains, read by everything that judges and shows."""

from undertow.store.conditions import Attention, Batch, BatchNorm, Conditions, Dropout, LookedUp, SoftTargets, TinyNorm
from undertow.store.records import (
    Activation,
    Evaluations,
    Event,
    InputScale,
    Losses,
    LossHead,
    OptimizerState,
    Parameter,
    Pass,
    Probed,
    Rate,
    Site,
    Target,
)
from undertow.store.run import Run, list_runs, run_folders
from undertow.store.updates import Pair, Updates

__all__ = [
    "Activation",
    "Attention",
    "Batch",
    "BatchNorm",
    "Conditions",
    "Dropout",
    "Evaluations",
    "Event",
    "InputScale",
    "LookedUp",
    "LossHead",
    "Losses",
    "OptimizerState",
    "Pair",
    "Parameter",
    "Pass",
    "Probed",
    "Rate",
    "Run",
    "Site",
    "SoftTargets",
    "Target",
    "TinyNorm",
    "Updates",
    "list_runs",
    "run_folders",
]
