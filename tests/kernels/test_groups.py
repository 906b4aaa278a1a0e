"""Ranks that share one network which learns, and groups of them that share out samples: the bits of one rank."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Grid, models
from hpcsnn.devices.host import HostDevice
from hpcsnn.engine.learning.groups import tile_side
from hpcsnn.errors import ConfigurationError
from hpcsnn.planning.memory import estimate
from hpcsnn.testing.racing_threads import RacingThreads
from support import learning
from support.classifiers import classes_in_noise, classifier, trained, trainer
from support.thread_ranks import on_ranks

DRAWN = models.Uniform(1.0, 6.0)
DEEP_R = models.DeepRByGradient(l1=0.01)
CASES = {
    "recurrent LIF": {"network": lambda: classifier()},
    "recurrent ALIF, DEEP R": {
        "network": lambda: classifier(rule=DEEP_R, neurons=models.ALIFSubtractive(refractory_ms=2)),
        "learning": models.EProp(regularisation=0.01),
        "optimiser": models.Adam(clip="norm", clip_at=3.0),
    },
    "dense, delays": {"network": lambda: classifier(p=1.0, recurrent=False, delays_ms=(2, 1, 3))},
    "drawn delays, currents that last, one budget": {
        "network": lambda: classifier(
            delays_ms=(DRAWN, DRAWN, DRAWN),
            receptor=models.ExponentialCurrent(tau_ms=4.0),
            rule=models.DeepRSharedBudget(l1=0.01),
        )
    },
    "mlgenn, soft DEEP R": {
        "network": lambda: classifier(rule=models.SoftDeepR(l1=0.01)),
        "learning": models.EProp(pairing="mlgenn", regularisation=0.01),
    },
    "random feedback, loss of a sample": {
        "network": lambda: classifier(delays_ms=(1, 3, 2)),
        "learning": models.EProp(feedback="random"),
        "loss": models.SummedCrossEntropy(),
    },
}


def made_of(case, n_batches=3, comm=None, **more):
    settings = dict(CASES[case])
    return trained(settings.pop("network")(), n_batches, comm=comm, **{**settings, **more})


def what_is_learnt(made):
    """All that a trainer says of itself."""
    answers = made.evaluate(classes_in_noise(7, seed=4))
    return made.digest(), made.learnt.digest(), answers.loss, answers.predictions.tolist(), answers.hidden_hz


@pytest.mark.parametrize("case", CASES)
def test_ranks_that_share_a_network_do_not_change_a_bit(case):
    """Three ranks of one network, then two networks on two ranks each: batches are of ten, tests of seven samples."""
    alone = what_is_learnt(made_of(case))
    for n_ranks, sharing in ((3, 3), (4, 2)):
        found = on_ranks(n_ranks, lambda comm, n=sharing: what_is_learnt(made_of(case, comm=comm, ranks_per_network=n)))
        assert found == [alone] * n_ranks


def test_some_groups_have_nothing_to_play():
    """Two samples for three networks."""
    samples = classes_in_noise(2)

    def digest(comm, **more):
        made = trained(n_batches=1, comm=comm, **more)
        made.train_batch(samples)
        return made.digest()

    assert set(on_ranks(6, lambda comm: digest(comm, ranks_per_network=2))) == {digest(None)}


def test_ranks_with_racing_threads_share_a_network():
    """As GPUs do, whose host swaps the spikes. Ranks that are threads cannot have one: CUDA captures a graph alone."""
    case = "recurrent ALIF, DEEP R"
    alone = made_of(case).digest()
    found = on_ranks(2, lambda comm: made_of(case, comm=comm, device=RacingThreads(), ranks_per_network=2).digest())
    assert found == [alone] * 2


@pytest.mark.parametrize(("before", "after"), [((1, 1), (4, 2)), ((2, 2), (1, 1)), ((4, 2), (3, 3))])
def test_what_is_saved_goes_on_among_other_ranks(before, after, tmp_path):
    case, saved, samples = "recurrent ALIF, DEEP R", tmp_path / "saved", classes_in_noise()

    def begin(comm, sharing):
        made_of(case, 2, comm=comm, ranks_per_network=sharing).save(saved)

    def go_on(comm, sharing):
        made = made_of(case, 0, comm=comm, ranks_per_network=sharing)
        made.restore(saved)
        for first in (20, 30):
            made.train_batch(samples.select(np.arange(first, first + 10)))
        return made.batches_done, made.digest()

    on_ranks(before[0], lambda comm: begin(comm, before[1]))
    assert set(on_ranks(after[0], lambda comm: go_on(comm, after[1]))) == {(4, made_of(case, 4).digest())}


def test_every_rank_reads_the_whole_network():
    case, samples = "recurrent ALIF, DEEP R", classes_in_noise(11, seed=6)

    def read(made):
        network = made.network
        return {
            "synapses": {name: made.synapses(name) for name in network.projections},
            "neurons": {name: made.neurons(name) for name in ("hidden", "output")},
            "gradients": made.gradients(samples),
            "counts": {name: np.array([made.n_synapses(name)]) for name in network.projections},
        }

    alone = read(made_of(case))
    for found in on_ranks(2, lambda comm: read(made_of(case, comm=comm, ranks_per_network=2))):
        for what, by_name in alone.items():
            for name, columns in by_name.items():
                if what == "counts":
                    assert found[what][name] == columns == len(alone["synapses"][name]["pre"])
                    continue
                assert found[what][name].keys() == columns.keys()
                for column, values in columns.items():
                    np.testing.assert_array_equal(found[what][name][column], values, err_msg=f"{name}.{column}")


def test_rewired_synapses_are_counted_once():
    case = "recurrent ALIF, DEEP R"

    def rewired(comm, **more):
        return [made_of(case, 2, comm=comm, **more).train_batch(classes_in_noise(10)).rewired]

    (alone,) = rewired(None)
    assert alone["input_hidden"] + alone["hidden_hidden"] > 0
    assert on_ranks(2, lambda comm: rewired(comm, ranks_per_network=2)) == [[alone]] * 2


def test_targets_are_followed_together():
    def learnt(comm=None, **more):
        made = trainer(learning.classifier(), learning.N_STEPS, loss=models.SquaredError(), comm=comm, **more)
        if comm is not None:
            made.simulation.communicator.exchange(made.simulation)
        losses = [made.train_batch(learning.samples(5, seed, targets=True)).loss for seed in range(3)]
        return losses, made.digest()

    assert on_ranks(2, lambda comm: learnt(comm, ranks_per_network=2)) == [learnt()] * 2


def test_outputs_on_a_grid_are_added_up_in_one_order():
    """Of which there are several tiles: the sides of tiles are those of one rank."""
    network = learning.classifier()
    other = type(network)(network.seed, network.dt_ms)
    sizes = {"input": learning.N_IN, "hidden": 140, "output": Grid(9, 9)}
    for name, population in network.populations.items():
        other.add_population(name, sizes[name], population.model)
    for name, one in network.projections.items():
        other.add_projection(
            name, one.source.name, one.target.name, one.connector, one.receptor, one.weights, one.synapse,
            delay_ms=one.delay_ms,
        )  # fmt: skip

    def digest(comm=None, **more):
        made = trainer(other, learning.N_STEPS, comm=comm, learning=models.EProp(feedback="random"), **more)
        if comm is not None:
            made.simulation.communicator.exchange(made.simulation)
        made.train_batch(learning.samples(5))
        return made.digest()

    assert on_ranks(2, lambda comm: digest(comm, ranks_per_network=2)) == [digest()] * 2


def test_each_of_them_holds_what_the_estimate_says():
    network, device = learning.classifier(p=0.5), HostDevice(("-O1",))
    declared = learning.learner(network)
    tile = tile_side(declared, 2)

    def held(comm):
        made = trainer(network, learning.N_STEPS, comm=comm, device=device, ranks_per_network=2)
        return made.simulation.state.n_bytes()

    sizes = [estimate(declared, tile, rank, 2) for rank in range(2)]
    for size, n_bytes in zip(sizes, on_ranks(2, held), strict=True):
        assert abs(size.n_bytes - n_bytes) < 0.2 * n_bytes
    alone = estimate(declared, 8, 0, 1)
    assert sizes[1].wiring < 0.7 * alone.wiring


@pytest.mark.parametrize(
    ("n_ranks", "more", "message"),
    [
        (3, {"ranks_per_network": 2}, r"^ranks_per_network: 2 is not allowed on 3 ranks; must divide their number"),
        (
            2,
            {"ranks_per_network": 2, "replicas": 3},
            r"^replicas: 3 is not allowed; 2 ranks share a network, and play one sample at a time: must be 1",
        ),
        (2, {"ranks_per_network": 2, "learning": models.EProp(gradient="online")}, r"^ranks_per_network: 2 .* online"),
    ],
)
def test_what_does_not_fit_is_refused(n_ranks, more, message):
    with pytest.raises(ConfigurationError, match=message):
        on_ranks(n_ranks, lambda comm: trainer(comm=comm, **more))
