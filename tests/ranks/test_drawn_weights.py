"""Weights that are drawn are the same on any ranks, with any tiles, on any device."""

from __future__ import annotations

import pytest

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import Normal, Uniform
from hpcsnn.testing.racing_threads import RacingThreads
from support.ranks import run_on_ranks


def network() -> Network:
    """Noise onto neurons that excite each other; all weights are drawn, some synapses are rewired on call."""
    made, grid = Network(seed=3, dt_ms=1.0), Grid(16, 16)
    made.add_population("noise", grid, models.Poisson(rate_hz=40))
    made.add_population("cells", grid, models.LIFSubtractive(), record_spikes=True)
    near = models.Gaussian(p_max=0.6, sigma=2.0)
    made.add_projection(
        "drive", "noise", "cells", near, models.DeltaCurrent(), Normal(0.1, 0.3), models.Trained(),
        rewiring=models.DeepRByGradient(),
    )  # fmt: skip
    made.add_projection(
        "own", "cells", "cells", models.FixedProbability(p=0.1), models.DeltaCurrent(), Uniform(-0.2, 0.3),
        models.Trained(), delay_ms=2.0,
    )  # fmt: skip
    made.add_projection(
        "stdp", "noise", "cells", near, models.ExponentialCurrent(), Normal(0.1, 0.05, low=0.0, high=0.2),
        models.AdditiveSTDP(w_max=0.2),
    )  # fmt: skip
    return made


def digests(communicator, options) -> list[str]:
    """Of the first state, after a while, and after the rule was called."""
    simulation = Simulation(network(), communicator, **options)
    found = [simulation_digest(simulation)]
    for _ in range(2):
        simulation.run(30.0)
        found.append(simulation_digest(simulation))
        simulation.rewire("drive")
    return found


ON_RANKS = """
from mpi4py import MPI
from hpcsnn.testing.racing_threads import RacingThreads
from ranks.test_drawn_weights import digests
for options in ({"tile": 4}, {"tile": 2}, {"tile": 8}, {"tile": 4, "device": RacingThreads()}):
    found = digests(MPI.COMM_WORLD, {"device": "cpu", **options})
    if MPI.COMM_WORLD.Get_rank() == 0:
        print(*found)
"""


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_ranks_tiles_and_racing_threads_draw_the_same_weights(tmp_path, n_ranks):
    script = tmp_path / "on_ranks.py"
    script.write_text(ON_RANKS)
    done = run_on_ranks(n_ranks, [str(script)])
    assert done.returncode == 0, done.stderr
    alone = digests(None, {"device": "cpu"})
    assert len(set(alone)) == 3
    assert [line.split() for line in done.stdout.splitlines()] == [alone] * 4


def test_one_rank_draws_the_same_weights_with_any_tile_and_on_racing_threads():
    alone = digests(None, {"device": "cpu"})
    for options in ({"device": "cpu", "tile": 2}, {"device": "cpu", "tile": 8}, {"device": RacingThreads(), "tile": 4}):
        assert digests(None, options) == alone
