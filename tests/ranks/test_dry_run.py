"""A rank by itself, with the spikes of its neighbours from a real run, comes to the state that it had in that run."""

from __future__ import annotations

import json

import pytest

from support.ranks import run_on_ranks

SCRIPT = """
import hashlib, json, sys
import numpy as np
from mpi4py import MPI
from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.planning.dry_run import made_up_simulation

comm = MPI.COMM_WORLD
delay_ms, tile, block, leave_out, bounded = json.loads(sys.argv[1])
network = Network(seed=5)
grid = Grid(32, 16)
network.add_population("source", grid, models.Poisson(rate_hz=50), record_spikes=True)
network.add_population("target", grid, models.LIF(tau_m_ms=10.0), record_spikes=True)
for name, pre in (("ff", "source"), ("lat", "target")):
    network.add_projection(
        name, pre, "target", models.Gaussian(p_max=0.4, sigma=1.2) if bounded else models.FixedProbability(p=0.01),
        models.ExponentialCurrent(), 20.0, models.AdditiveSTDP(w_max=60.0), delay_ms=delay_ms,
        rewiring=models.Bamford(p_max=0.5, sigma=1.0, block_side=4, attempts=9), record_events=True,
    )

def state(simulation):
    digest = hashlib.sha256()
    for name in network.populations:
        for column, values in simulation.neurons(name).items():
            digest.update(column.encode() + values.tobytes())
    for name in network.projections:
        for column, values in simulation.synapses(name).items():
            digest.update(column.encode() + values.tobytes())
    return digest.hexdigest()

real = Simulation(network, comm, "cpu", tile)
real.run(100.0, progress=False)
spikes = {}
for name in network.populations:
    everyone = comm.allgather(real.spikes(name))
    steps, ids = (np.concatenate([one[part] for one in everyone]) for part in (0, 1))
    spikes[name] = (steps, ids)
if leave_out:
    kept = spikes["source"][0] % 10 > 0
    spikes["source"] = tuple(one[kept] for one in spikes["source"])
alone = made_up_simulation(
    network, comm.rank, comm.size, tile, HostDevice(), block, spikes, network.steps(100.0)
)
alone.run(100.0, progress=False)
everyone = comm.gather((state(real), state(alone), real.state.total_spikes("target"), len(real.events("ff"))))
if comm.rank == 0:
    print(json.dumps(everyone))
"""


COUNTING = """
import json, sys
import numpy as np
from mpi4py import MPI
from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.planning.dry_run import made_up_simulation

comm = MPI.COMM_WORLD
network = Network(seed=5)
grid = Grid(32, 32)
network.add_population("source", grid, models.Poisson(rate_hz=50))
network.add_population("target", grid, models.LIF(tau_m_ms=10.0))
learning, still = models.AdditiveSTDP(w_max=60.0), models.Static()
for name, synapse in (("learns", learning), ("still", still)):
    network.add_projection(
        name, "source", "target", models.Gaussian(p_max=0.4, sigma=1.2), models.ExponentialCurrent(), 20.0, synapse,
        rewiring=models.Bamford(p_max=0.5, sigma=1.0, block_side=4, attempts=9, p_eliminate=0.2),
        record_events=True,
    )

def counted(simulation):
    simulation.run(300.0, progress=False)
    found = {name: {what: store.counter(what) for what in ("formed", "eliminated", "refused")}
             for name, store in simulation.state.stores.items()}
    events = simulation.events("still")
    return found, sorted(map(tuple, events.tolist()))

real = counted(Simulation(network, comm, "cpu", 4))
alone = counted(made_up_simulation(network, comm.rank, comm.size, 4, HostDevice()))
everyone = comm.gather((real, alone))
if comm.rank == 0:
    print(json.dumps(everyone))
"""


def test_rewiring_does_as_much_among_ranks_that_are_not_there(tmp_path):
    """What no spike has a say in happens alike to the last synapse; the rest as often, up to chance."""
    script = tmp_path / "counting.py"
    script.write_text(COUNTING)
    done = run_on_ranks(2, [str(script)], limit_s=300)
    assert done.returncode == 0, done.stderr
    for (real, real_events), (alone, alone_events) in json.loads(done.stdout):
        assert alone["still"] == real["still"]
        assert alone_events == real_events
        assert min(real["still"]["formed"], real["learns"]["formed"], real["learns"]["eliminated"]) > 50
        assert alone["learns"]["refused"] == real["learns"]["refused"]
        for what in ("formed", "eliminated"):
            there, here = real["learns"][what], alone["learns"][what]
            assert abs(here - there) <= 4 * (there + here) ** 0.5, what


def states(n_ranks, tmp_path, *asked):
    script = tmp_path / "replayed.py"
    script.write_text(SCRIPT)
    done = run_on_ranks(n_ranks, [str(script), json.dumps(asked)], limit_s=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("n_ranks", "delay_ms", "tile", "block", "bounded"),
    [
        (4, 0.1, 4, None, True),
        pytest.param(3, 1.3, 2, 1, True, marks=pytest.mark.slow),
        (2, 1.3, 4, 1, True),
        (3, 1.3, 4, 1, False),  # all send to all, in several rounds
        pytest.param(2, 0.1, 4, None, False, marks=pytest.mark.slow),
    ],
)
def test_with_the_spikes_of_a_real_run_a_rank_by_itself_has_its_state(
    n_ranks, delay_ms, tile, block, bounded, tmp_path
):
    found = states(n_ranks, tmp_path, delay_ms, tile, block, False, bounded)
    assert len({real for real, *_ in found}) == n_ranks, "ranks have states of their own"
    for real, alone, spikes, events in found:
        assert alone == real
        assert spikes > 20
        assert events > 5


@pytest.mark.parametrize("bounded", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_spikes_that_are_left_out_are_missed(bounded, tmp_path):
    """So the comparison above can fail."""
    found = states(2, tmp_path, 0.1, 4, None, True, bounded)
    assert any(real != alone for real, alone, *_ in found)
