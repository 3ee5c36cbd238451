"""What is packed comes back: seven digits, and the whole range of a double."""

from __future__ import annotations

import numpy as np
import pytest

from undertow.store.packing import pack_columns, pack_sizes, unpack_columns, unpack_sizes

EDGES = [0.0, 1.0, np.inf, np.nan, 1e-300, 1e300, 3.14159265]


def test_columns_come_back() -> None:
    columns = unpack_columns(pack_columns([np.array(EDGES), np.array(EDGES[::-1])]), 2)
    np.testing.assert_allclose(columns, [EDGES, EDGES[::-1]], rtol=1e-4)
    assert list(columns[0][:3]) == [0.0, 1.0, np.inf]


def test_norms_come_back_by_key_and_zeros_are_left_out() -> None:
    found = unpack_sizes(pack_sizes({0: 1.5, 3: 0.0, 4: np.inf, 5: 1e-200}, 6))
    assert found == pytest.approx({0: 1.5, 4: np.inf, 5: 1e-200}, rel=1e-4, abs=0)
