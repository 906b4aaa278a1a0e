"""Bins of model time."""

from __future__ import annotations

import pytest

from hpcsnn.analysis.rewiring_events import time_bins


@pytest.mark.parametrize(
    ("n_steps", "dt_ms", "n_bins", "width_ms"),
    [(600_000, 0.1, 60, 1000), (10_000, 0.1, 100, 10), (1, 0.1, 1, 0.1), (3, 0.1, 3, 0.1), (10_001, 0.1, 51, 20)],
)
def test_time_bins_are_round_and_cover_the_run(n_steps, dt_ms, n_bins, width_ms):
    edges = time_bins(n_steps, dt_ms)
    assert (len(edges) - 1, edges[1]) == (n_bins, pytest.approx(width_ms))
    assert edges[-1] >= n_steps * dt_ms * (1 - 1e-9)
