"""One budget of synapses over several projections: the total stays, and all free pairs are drawn alike."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, models
from support.classifiers import classes_in_noise, classifier, trainer
from support.thread_ranks import on_ranks

# Two pairs of populations with 64 * 32 and 32 * 48 possible synapses.
SIZES = {"a": 64, "b": 32, "c": 48}
FADING = models.RewiringRule(
    "fading", "A tenth goes at each call.", select=models.ALL_SYNAPSES, eliminate="0.1f", initial="0.5f",
    replace="projections", trigger="call",
)  # fmt: skip


def network(p=(0.3, 0.05)) -> Network:
    made = Network(seed=3, dt_ms=1.0)
    for name, size in SIZES.items():
        made.add_population(name, size, models.LIF())
    for (source, target), part in zip(("ab", "bc"), p, strict=True):
        made.add_projection(
            f"{source}{target}", source, target, models.FixedProbability(p=part), models.DeltaCurrent(),
            0.5, models.Static(), rewiring=FADING(),
        )  # fmt: skip
    return made


def wired(simulation) -> dict[str, np.ndarray]:
    pairs = {name: simulation.synapses(name) for name in ("ab", "bc")}
    return {name: np.column_stack([rows["pre"], rows["post"]]) for name, rows in pairs.items()}


def rewired(n_calls, comm=None):
    simulation = Simulation(network(), comm=comm, tile=2, device="cpu")
    if comm is not None:
        comm.exchange(simulation)
    for _ in range(n_calls):
        simulation.rewire("ab", "bc")
        simulation.run(1)
    return wired(simulation)


def test_the_total_stays_and_pairs_of_all_projections_come_alike():
    """What goes comes back at free pairs of either: in the end both are equally dense."""
    before, after = rewired(0), rewired(80)
    count = {name: len(pairs) for name, pairs in after.items()}
    assert sum(count.values()) == sum(map(len, before.values()))
    assert all(len(np.unique(pairs, axis=0)) == len(pairs) for pairs in after.values())
    density = {name: n / (SIZES[name[0]] * SIZES[name[1]]) for name, n in count.items()}
    # Hypergeometric, with 700 synapses on 3,584 pairs: four standard deviations of the difference.
    assert len(before["ab"]) / 2048 - len(before["bc"]) / 1536 > 0.2
    assert abs(density["ab"] - density["bc"]) < 4 * (0.19 * 0.81 * (1 / 2048 + 1 / 1536)) ** 0.5
    for end in (0, 1):  # and no source or target has more than chance gives it
        degrees = np.bincount(after["ab"][:, end], minlength=SIZES["ab"[end]])
        assert degrees.var() < 1.8 * degrees.mean() * (1 - density["ab"])


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_ranks_share_it_to_the_same_synapses(n_ranks):
    alone = rewired(4)
    found = on_ranks(n_ranks, lambda comm: rewired(4, comm))
    for name, pairs in alone.items():
        of_ranks = np.concatenate([one[name] for one in found])
        np.testing.assert_array_equal(np.unique(of_ranks, axis=0), np.unique(pairs, axis=0))
        assert len(of_ranks) == len(pairs)


def test_a_projection_by_itself_has_its_own():
    simulation = Simulation(network(), device="cpu")
    before = wired(simulation)
    simulation.rewire("ab")
    after = wired(simulation)
    assert len(after["ab"]) == len(before["ab"])
    assert {tuple(pair) for pair in after["ab"]} != {tuple(pair) for pair in before["ab"]}
    np.testing.assert_array_equal(after["bc"], before["bc"])


def test_what_finds_no_place_is_owed_still():
    """Where all pairs are taken, those that have just gone are the free ones: some are not drawn in this update."""
    simulation = Simulation(network(p=(1.0, 1.0)), device="cpu")
    for _ in range(3):
        simulation.rewire("ab", "bc")
        simulation.run(1)
        owed = simulation.neurons("b")["ab.target.owed"].sum() + simulation.neurons("c")["bc.target.owed"].sum()
        assert owed + sum(map(len, wired(simulation).values())) == 3584
        assert owed > 0


# -- DEEP R ------------------------------------------------------------------------------------------------------------


def learner(comm=None):
    rule = models.DeepRSharedBudget(l1=0.05)
    return trainer(classifier(p=0.2, rule=rule), comm=comm, optimiser=models.Adam(learning_rate=0.05))


def learnt(made, n_batches=6):
    samples, counts = classes_in_noise(), []
    for _ in range(n_batches):
        made.train_batch(samples)
        counts.append([len(made.synapses(name)["pre"]) for name in ("input_hidden", "hidden_hidden")])
    return made.digest(), counts


def test_deep_r_shares_a_budget_and_holds_signs():
    made = learner()
    start = sum(len(made.synapses(name)["pre"]) for name in ("input_hidden", "hidden_hidden"))
    _, counts = learnt(made, 12)
    assert {sum(both) for both in counts} == {start}
    assert len({tuple(both) for both in counts}) > 1, "synapses moved from one projection to the other"
    for name in ("input_hidden", "hidden_hidden"):
        rows = made.synapses(name)
        assert set(np.unique(rows["sign"])) == {-1.0, 1.0}
        assert (rows["weight"] * rows["sign"] >= 0).all()


def test_deep_r_shares_a_budget_alike_on_ranks_and_after_a_restart(tmp_path):
    digest, counts = learnt(learner())
    for n_ranks in (2, 4):
        assert on_ranks(n_ranks, lambda comm: learnt(learner(comm))) == [(digest, counts)] * n_ranks
    cut, again = learner(), learner()
    learnt(cut, 3)
    cut.save(tmp_path / "saved")
    again.restore(tmp_path / "saved")
    assert learnt(again, 3) == (digest, counts[3:])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"trigger": "every_ms"}, "trigger 'every_ms' and 0 sums"),
        ({"trigger": "call", "sums": {"n": "in_degree"}}, "trigger 'call' and 1 sums"),
    ],
)
def test_a_budget_is_shared_on_call_alone(changed, said):
    with pytest.raises(ConfigurationError, match=rf"^mine\.replace: 'projections' is not allowed with {said}; must be"):
        models.RewiringRule("mine", "", replace="projections", **changed)
