"""What a snippet does to the process is an error that names it, and the process goes on."""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
import threading

import pytest

from hpcsnn import Network, Simulation, SimulationError, models
from support.messages import as_pattern
from support.processes import completed

NOWHERE = "*(volatile float*)(uint64)16 = 1.0f;"
NO_MEMORY = (
    "memory is read or written that is not its own (beyond a table?), or the stack is used up; "
    "the processor stops there"
)


def network_of(neuron, **projection):
    network = Network()
    network.add_population("cells", 4, neuron)
    if projection:
        network.add_projection(
            "own",
            "cells",
            "cells",
            **{"connector": models.OneToOne(), "receptor": models.DeltaCurrent(), "weight": 0.1} | projection,
        )
    return network


def always(**slots):
    return models.NeuronModel(
        "always",
        "Spikes in every step.",
        state=(models.Variable("n", 0, ctype="int"),),
        **{"threshold": "true"} | slots,
    )


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (NOWHERE, NO_MEMORY),
        # The stack of a thread is some megabytes.
        ("volatile char all[1 << 28]; all[0] = 1; all[(1 << 28) - 1] = 2; n += all[0];", NO_MEMORY),
        ("n = 6 / (n / 2);", "a whole number is divided by zero"),
    ],
    ids=["elsewhere", "stack", "division"],
)
def test_a_neuron_model_is_named(update, said):
    simulation = Simulation(network_of(always(update=update)()), device="cpu")
    for _ in range(2):  # it does not go on
        with pytest.raises(
            SimulationError, match=as_pattern(f"populations.cells (neuron always), kernel update_cells: {said}")
        ):
            simulation.run(1.0)
    other = Simulation(network_of(models.LIF()), device="cpu")
    other.run(1.0)
    assert other.step == 10


@pytest.mark.parametrize(
    ("part", "model", "kernel"),
    [
        (
            "synapse",
            models.SynapseModel("wild", "Writes elsewhere.", on_pre_spike=NOWHERE),
            "projections.own (synapse wild), kernel deliver_own",
        ),
        (
            "receptor",
            models.ReceptorModel("wild", "Writes elsewhere.", update=NOWHERE),
            "populations.cells (neuron always, receptor wild), kernel update_cells",
        ),
        (
            "rewiring",
            models.RewiringRule("wild", "Writes elsewhere.", update=NOWHERE + " weight += 0.0f;"),
            "projections.own (rewiring rule wild), kernel visit_synapses_own",
        ),
    ],
    ids=["synapse", "receptor", "rule"],
)
def test_other_models_are_named(part, model, kernel):
    simulation = Simulation(network_of(always()(), **{part: model()}), device="cpu")
    with pytest.raises(SimulationError, match=as_pattern(f"rank 0: {kernel}: {NO_MEMORY} in step ")):
        simulation.run(10.0)


def test_a_connector_is_named_where_the_wiring_is_made():
    network = network_of(
        models.LIF(), connector=models.Connector("wild", "Divides.", connect="connect(id / (nx - 4));")()
    )
    # It runs twice: to count, and to connect; what is counted may be found needless before it divides.
    said = as_pattern("projections.own (connector wild), kernel ") + "(connect|count_sources)_own: a whole number "
    with pytest.raises(SimulationError, match=said):
        Simulation(network, device="cpu")


def test_a_rule_on_call_is_named():
    rule = models.RewiringRule("wild", "Divides.", update="weight = (float)(6 / (step / 1000));", trigger="call")
    simulation = Simulation(network_of(models.LIF(), rewiring=rule()), device="cpu")
    simulation.run(1.0)
    said = "projections.own (rewiring rule wild), kernel visit_synapses_own: a whole number is divided by zero"
    with pytest.raises(SimulationError, match=as_pattern(said)):
        simulation.rewire("own")


OTHERS = """
import ctypes, faulthandler
from hpcsnn import Network, Simulation, models
{enable}
for model in (models.LIF(), models.AdEx()):  # two libraries, each with handlers of its own
    network = Network()
    network.add_population("cells", 4, model)
    Simulation(network, device="cpu").run(1.0)
print("now", flush=True)
ctypes.string_at(0)
"""


@pytest.mark.parametrize("enable", ["", "faulthandler.enable()"])
def test_what_goes_wrong_elsewhere_still_ends_the_process(enable, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(OTHERS.format(enable=enable))
    done = completed([sys.executable, str(script)])
    assert done.stdout == "now\n"
    assert done.returncode == -signal.SIGSEGV
    assert ("Segmentation fault" in done.stderr) == bool(enable)


class _InUse(ctypes.Structure):
    """What C's library says of what it has given away, in bytes (`mallinfo2`)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "top",
        )
    ]


def test_threads_that_run_kernels_leave_nothing_behind():
    """A run that writes checkpoints has a thread for each; each kernel has a stack of 64 kB for its traps."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        pytest.skip("needs GNU's C library, 2.33 or later")
    library.mallinfo2.restype = _InUse
    simulation = Simulation(network_of(models.LIF()), device="cpu")

    def in_use_after(n_threads):
        for _ in range(n_threads):
            thread = threading.Thread(target=simulation.executable.later("check_values", 1))
            thread.start()
            thread.join()
        gc.collect()
        return library.mallinfo2().uordblks

    before = in_use_after(20)
    assert in_use_after(100) - before < 100 * 10_000
