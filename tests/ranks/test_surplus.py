"""Where sources have too many synapses, each rank looks after its own neurons alone, and all answers agree."""

from __future__ import annotations

import json

import pytest

from support.ranks import run_on_ranks

SCRIPT = """
import hashlib, json
import numpy as np
from mpi4py import MPI
from hpcsnn import Grid, Network, Simulation, models

network, grid = Network(seed=3), Grid(24, 24)
network.add_population("a", grid, models.Poisson(rate_hz=500))
network.add_population("b", grid, models.LIF())
network.add_projection(
    "ab", "a", "b", models.FixedInDegree(in_degree=20), models.ExponentialCurrent(), 60.0,
    rewiring=models.Homeostatic(
        every_ms=1.0, updates_a_pairing=20, tau_calcium_ms=50.0, beta_calcium=0.02, axon_growth_per_s=3000,
        dendrite_growth_per_s=20000, axon_set_point=0.5, dendrite_set_point=0.5,
    ),
)
simulation = Simulation(network, MPI.COMM_WORLD, "cpu", 8)
ranks = simulation.communicator
gather, gathered = ranks.gather, []
ranks.gather = lambda value: gathered.append(int(np.size(value))) or gather(value)
simulation.run(41.0, progress=False)
most = max(gathered)
ranks.gather = gather
synapses, store = simulation.synapses("ab"), simulation.state.stores["ab"]
parts = ranks.gather({name: synapses[name] for name in ("pre", "post", "weight")})
counts = ranks.gather([store.counter(name) for name in ("formed", "eliminated")])
mosts = ranks.gather(most)
if simulation.rank == 0:
    pre, post, weight = (np.concatenate([part[name] for part in parts]) for name in ("pre", "post", "weight"))
    order = np.lexsort((pre, post))
    digest = hashlib.sha256(b"".join(one[order].tobytes() for one in (pre, post, weight))).hexdigest()
    print(json.dumps([digest, np.sum(counts, axis=0).tolist(), len(pre), max(mosts)]))
"""


def found(n_ranks, tmp_path):
    script = tmp_path / "surplus.py"
    script.write_text(SCRIPT)
    done = run_on_ranks(n_ranks, [str(script)], limit_s=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("n_ranks", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_surplus_synapses_go_alike_on_any_ranks_and_nobody_gathers_them(n_ranks, tmp_path):
    digest, (formed, eliminated), synapses, _ = found(1, tmp_path)
    assert min(formed, eliminated) > 300, "some sources have too many, others too few"
    assert eliminated < 24 * 24 * 20 / 2, "of those that have too many, keys choose which go"
    there, counts, as_many, most = found(n_ranks, tmp_path)
    assert (there, counts, as_many) == (digest, [formed, eliminated], synapses)
    assert most <= 2, "of a meeting's rows, no rank holds those of all: counts alone are gathered"
