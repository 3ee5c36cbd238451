"""Entries that are held over steps lie in rows that come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import undertow
from undertow.observe.ledger import MOST_ENTRIES
from undertow.observe.rows import Rows
from undertow.observe.subsample import flat, kept


def test_a_row_given_back_is_handed_out_again_for_what_has_its_size_and_dtype() -> None:
    rows = Rows()
    row = rows.take(3, np.dtype(np.float32))
    rows.give(row)
    assert not np.shares_memory(rows.take(4, row.dtype), row)
    assert not np.shares_memory(rows.take(3, np.dtype(np.float64)), row)
    assert np.shares_memory(rows.take(3, row.dtype), row)
    assert not np.shares_memory(rows.take(3, row.dtype), row)


@pytest.mark.parametrize(
    "dtypes", [(torch.float32,) * 2, (torch.float64,) * 2, (torch.bfloat16,) * 2, (torch.float64, torch.float32)]
)
def test_what_is_kept_is_what_was_there(dtypes: tuple[torch.dtype, ...]) -> None:
    parts = [torch.randn(n).to(dtype) for n, dtype in zip((5, 3), dtypes, strict=True)]
    values, row = flat(parts), kept(parts, Rows())
    assert row.dtype == values.dtype
    np.testing.assert_array_equal(row, values)


def test_a_long_observation_takes_no_more_rows_than_are_held_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def take(rows: Rows, length: int, dtype: np.dtype[np.float32], alone=Rows.take) -> object:
        taken.append(alone(rows, length, dtype))
        return taken[-1]

    monkeypatch.setattr(Rows, "take", take)
    net = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    steps = 200
    with undertow.observe(store=tmp_path / "run", every=1):
        for _ in range(steps):
            optimizer.zero_grad()
            net(torch.randn(8, 64)).square().mean().backward()
            optimizer.step()
    places = {row.__array_interface__["data"][0] for row in taken}
    assert len(taken) >= 3 * steps
    assert len(places) <= MOST_ENTRIES / taken[0].size + 6
