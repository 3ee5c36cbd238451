"""A run on disk: written while it trains, read by everything that judges and shows."""

from undertow.store.records import (
    Activation,
    Event,
    InputScale,
    Losses,
    LossHead,
    OptimizerState,
    Parameter,
    Pass,
    Site,
    Target,
    Updates,
)
from undertow.store.run import Run, list_runs, run_folders

__all__ = [
    "Activation",
    "Event",
    "InputScale",
    "LossHead",
    "Losses",
    "OptimizerState",
    "Parameter",
    "Pass",
    "Run",
    "Site",
    "Target",
    "Updates",
    "list_runs",
    "run_folders",
]
