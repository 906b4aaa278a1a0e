"""Weights that are drawn are the same on any ranks, with any tiles, on any device."""

from __future__ import annotations

import pytest

from hpcsnn.testing.racing_threads import RacingThreads
from support.drawn_weights import digests
from support.ranks import run_on_ranks

ON_RANKS = """
from mpi4py import MPI
from hpcsnn.testing.racing_threads import RacingThreads
from support.drawn_weights import digests
for options in ({"tile": 4}, {"tile": 2}, {"tile": 8}, {"tile": 4, "device": RacingThreads()}):
    found = digests(MPI.COMM_WORLD, **{"device": "cpu", **options})
    if MPI.COMM_WORLD.Get_rank() == 0:
        print(*found)
"""


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_ranks_tiles_and_racing_threads_draw_the_same_weights(tmp_path, n_ranks):
    script = tmp_path / "on_ranks.py"
    script.write_text(ON_RANKS)
    done = run_on_ranks(n_ranks, [str(script)])
    assert done.returncode == 0, done.stderr
    alone = digests(None, device="cpu")
    assert len(set(alone)) == 3
    assert [line.split() for line in done.stdout.splitlines()] == [alone] * 4


def test_one_rank_draws_the_same_weights_with_any_tile_and_on_racing_threads():
    alone = digests(None, device="cpu")
    for options in ({"device": "cpu", "tile": 2}, {"device": "cpu", "tile": 8}, {"device": RacingThreads(), "tile": 4}):
        assert digests(None, **options) == alone
