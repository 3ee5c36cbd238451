"""The registry of the gallery: one case for each training."""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass

TOPICS = (
    "sick_vanishing",
    "sick_exploding",
    "sick_cut",
    "sick_dead",
    "sick_saturated",
    "sick_rates",
    "sick_zeroing",
    "sick_held",
    "sick_loss",
    "sick_loss_missing",
    "sick_targets",
    "sick_data",
    "sick_numerics",
    "sick_mild",
    "sick_modes",
    "sick_steps",
    "sick_batches",
    "sick_outputs",
    "sick_made",
    "sick_never",
    "sick_spelled",
    "sick_course",
    "sick_overfit",
    "remarked_course",
    "remarked_state",
    "remarked_steps",
    "remarked_budget",
    "remarked_layers",
    "remarked_cancelling",
    "healthy_mlp",
    "healthy_cnn",
    "healthy_sequence",
    "healthy_transformer",
    "healthy_generative",
    "healthy_reinforcement",
    "healthy_losses",
    "healthy_updates",
    "healthy_transfer",
    "healthy_detached",
    "healthy_deep",
    "healthy_odd",
    "healthy_alike",
    "healthy_noisy",
    "healthy_advanced",
    "healthy_repaired_signal",
    "healthy_repaired_loss",
    "healthy_repaired_data",
    "unseen_sick_signal",
    "unseen_sick_cut",
    "unseen_sick_units",
    "unseen_sick_rates",
    "unseen_sick_held",
    "unseen_sick_loss",
    "unseen_sick_targets",
    "unseen_sick_data",
    "unseen_healthy_tabular",
    "unseen_healthy_images",
    "unseen_healthy_sequences",
    "unseen_healthy_unusual",
    "unseen_healthy_more",
    "held_sick_signal",
    "held_sick_blown",
    "held_sick_cut",
    "held_sick_left",
    "held_sick_units",
    "held_sick_modes",
    "held_sick_rates",
    "held_sick_updates",
    "held_sick_loss",
    "held_sick_targets",
    "held_sick_data",
    "held_sick_order",
    "held_sick_numerics",
    "held_healthy_tabular",
    "held_healthy_noise",
    "held_healthy_optimizers",
    "held_healthy_images",
    "held_healthy_transfer",
    "held_healthy_sequences",
    "held_healthy_attention",
    "held_healthy_generative",
    "held_healthy_pairs",
    "held_healthy_unusual",
    "fresh_sick_inputs",
    "fresh_sick_loss",
    "fresh_sick_modes",
    "fresh_sick_order",
    "fresh_sick_rates",
    "fresh_sick_signal",
    "fresh_sick_signs",
    "fresh_sick_steps",
    "fresh_sick_targets",
    "fresh_sick_units",
    "fresh_healthy_architectures",
    "fresh_healthy_generative",
    "fresh_healthy_losses",
    "fresh_healthy_plain",
    "fresh_healthy_sequences",
    "fresh_healthy_transfer",
    "fresh_healthy_unusual",
    "fresh_healthy_updates",
    "blind_sick_a_signal",
    "blind_sick_a_units",
    "blind_sick_a_rates",
    "blind_sick_a_updates",
    "blind_sick_a_held",
    "blind_sick_a_losses",
    "blind_sick_a_outputs",
    "blind_sick_a_data",
    "blind_sick_a_modes",
    "blind_sick_a_more",
    "blind_sick_a_milder",
    "blind_sick_a_players",
    "blind_sick_a_notebooks",
    "blind_healthy_a_plain",
    "blind_healthy_a_tables",
    "blind_healthy_a_images",
    "blind_healthy_a_generative",
    "blind_healthy_a_pairs",
    "blind_healthy_a_fields",
    "blind_healthy_a_updates",
    "blind_healthy_a_unusual",
    "blind_healthy_a_tasks",
    "blind_sick_b_signal",
    "blind_sick_b_units",
    "blind_sick_b_rates",
    "blind_sick_b_updates",
    "blind_sick_b_settings",
    "blind_sick_b_attention",
    "blind_sick_b_cut",
    "blind_sick_b_schedules",
    "blind_sick_b_shapes",
    "blind_sick_b_numbers",
    "blind_sick_b_climb",
    "blind_sick_b_loss",
    "blind_sick_b_outputs",
    "blind_sick_b_data",
    "blind_sick_b_modes",
    "blind_sick_b_more",
    "blind_sick_b_slight",
    "blind_healthy_b_recurrent",
    "blind_healthy_b_attention",
    "blind_healthy_b_generative",
    "blind_healthy_b_reinforcement",
    "blind_healthy_b_transfer",
    "blind_healthy_b_retrieval",
    "blind_healthy_b_updates",
    "blind_healthy_b_teachers",
    "blind_healthy_b_series",
    "blind_healthy_b_transformers",
    "blind_healthy_b_losses",
    "blind_healthy_b_unusual",
    "blind_healthy_b_text",
)
SPLITS = ("build", "judge", "unseen", "held", "fresh", "blind")
MARKER = "# <- fault"

Train = Callable[[], dict[str, float]]
Modules = str | tuple[str, ...] | None
Edits = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Case:
    """One training. `code` is None for a healthy one; `module` names one module at fault or several acceptable.

    `cured` holds what to replace in the source, and by what, to be rid of the fault. `remark` is the code of what a
    healthy one survives and is to be told of as a remark; `without` that of what it may look like and is not.
    """

    name: str
    train: Train
    code: str | None
    module: Modules
    split: str
    note: str
    line: int | None
    cured: Edits = ()
    remark: str | None = None
    without: str | None = None


CASES: dict[str, Case] = {}


def sick(
    code: str, *, split: str, module: Modules = None, note: str = "", cured: Edits = ()
) -> Callable[[Train], Train]:
    """Register a training that shows the fault `code`."""
    return lambda train: register(train, code, module, split, note, cured)


def healthy(*, split: str, odd: str = "", without: str | None = None) -> Callable[[Train], Train]:
    """Register a training that learns; `odd` says what looks wrong about it and is not, `without` the code of that."""
    return lambda train: register(train, None, None, split, odd, without=without)


def remarked(code: str, *, split: str, note: str) -> Callable[[Train], Train]:
    """Register a training that learns in spite of `code`, which is to be told as a remark."""
    return lambda train: register(train, None, None, split, note, remark=code)


def register(
    train: Train, code: str | None, module: Modules, split: str, note: str, cured: Edits = (), **remarks: str | None
) -> Train:
    name = train.__name__
    if name in CASES:
        raise ValueError(f"the gallery has a case {name!r} already")
    if split not in SPLITS:
        raise ValueError(f"case {name!r} has split {split!r}, which is none of {SPLITS}")
    CASES[name] = Case(name, train, code, module, split, note, marked_line(train), cured, **remarks)
    return train


def marked_line(train: Train) -> int | None:
    """Return the number, in its file, of the line that carries the marker."""
    lines, first = inspect.getsourcelines(train)
    marked = [first + offset for offset, line in enumerate(lines) if line.rstrip().endswith(MARKER)]
    if len(marked) > 1:
        raise ValueError(f"case {train.__name__!r} marks {len(marked)} lines as the fault; one is allowed")
    return marked[0] if marked else None


def load() -> dict[str, Case]:
    """Import every topic and return the whole gallery."""
    for topic in TOPICS:
        importlib.import_module(f"{__package__}.{topic}")
    return CASES
