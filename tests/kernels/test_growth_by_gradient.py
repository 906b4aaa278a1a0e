"""Rules of trainings that turn over the weakest synapses, and growth by gradient, beside slow programs of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hpcsnn import ConfigurationError, SimulationError, models
from hpcsnn.codegen.random_streams import Purpose, Tag, stream, words
from hpcsnn.models.rewiring import Guide, Turnover
from hpcsnn.testing.racing_threads import RacingThreads
from support.classifiers import N_CHANNELS, classes_in_noise, classifier, trainer
from support.lanes import some
from support.thread_ranks import on_ranks

NAMES, N_HIDDEN, SEED = ("input_hidden", "hidden_hidden"), 20, 1
SIZES = {"input_hidden": (N_CHANNELS, N_HIDDEN), "hidden_hidden": (N_HIDDEN, N_HIDDEN)}
RATE, LIMIT = 0.002, 4.0
CASES = {
    "rig_l": models.RigL(every=2, fraction=0.25, candidates=3),
    "sparse_evolution": models.SparseEvolution(every=2, fraction=0.3, new_weight=0.1),
    "deep_r_guided": models.DeepRGuided(l1=0.02, candidates=0.5),
    "rig_l_shared_budget": models.RigLSharedBudget(every=2, fraction=0.25, candidates=5),
    "rig_l, sparser": models.RigL(every=1, fraction=0.3, candidates=2, sparse_from=1, sparse_until=4, decay_until=8),
}
MORE = {
    "as it is": {},
    "drawn delays, currents that last": {
        "delays_ms": (models.Uniform(1.0, 6.0),) * 3, "receptor": models.ExponentialCurrent(tau_ms=4.0)
    },
}  # fmt: skip


def made_of(rule, comm=None, p=0.3, more="as it is", batch=10, **settings):
    """A trainer whose optimiser keeps nothing from batch to batch."""
    made = trainer(
        classifier(p=p, rule=rule, **MORE[more]), comm=comm, batch=batch,
        **{"optimiser": models.SGD(learning_rate=RATE), **settings},
    )  # fmt: skip
    if hasattr(made.simulation.communicator, "exchange"):
        made.simulation.communicator.exchange(made.simulation)
    return made


def batches(n=6):
    samples = classes_in_noise()
    return [samples.select(np.arange(10) + 10 * (number % 4)) for number in range(n)]


def wired(made) -> dict[str, dict[tuple[int, int], float]]:
    """By projection the weight of each (post, pre)."""
    found = {}
    for name in NAMES:
        rows = made.synapses(name)
        found[name] = dict(
            zip(zip(rows["post"].tolist(), rows["pre"].tolist(), strict=True), rows["weight"], strict=True)
        )
    return found


def of_all_pairs(made, samples, folder, more="as it is"):
    """The gradient of each pair, as the same network has it whose absent synapses are there with a weight of 0."""
    there = wired(made)
    whole = trainer(classifier(p=1.0, **MORE[more]), optimiser=models.SGD(learning_rate=RATE))
    synapses = {name: dict(rows) for name, rows in whole.learnt.synapses.items()}
    for name in NAMES:
        pairs = zip(synapses[name]["post"].tolist(), synapses[name]["pre"].tolist(), strict=True)
        synapses[name]["weight"] = np.array([there[name].get(pair, 0.0) for pair in pairs], np.float32)
    synapses["hidden_output"] = made.learnt.synapses["hidden_output"]
    replace(whole.learnt, synapses=synapses, readout=made.learnt.readout).write(folder / "whole")
    whole.restore(folder / "whole")
    found = whole.gradients(samples)
    return {
        name: dict(
            zip(
                zip(found[name]["post"].tolist(), found[name]["pre"].tolist(), strict=True),
                found[name]["gradient"],
                strict=True,
            )
        )
        for name in NAMES
    }


def drawn(name, batch, n, there):
    """Free pairs (post, pre) of the first n that are drawn for a batch, in their order, each once."""
    number = stream(Purpose.ATTEMPTS, list(SIZES).index(name)) | Tag.CANDIDATE << 24
    both = words(SEED, number, np.arange(n), np.full(n, batch))
    n_pre, n_post = SIZES[name]
    post, pre = (
        (both >> np.uint64(32)).astype(int) * n_post >> 32,
        (both & np.uint64(2**32 - 1)).astype(int) * n_pre >> 32,
    )
    pairs = list(dict.fromkeys(zip(post.tolist(), pre.tolist(), strict=True)))
    return [pair for pair in pairs if pair not in there]


def largest(pairs, rank, n):
    """The n pairs of highest rank; of equal ones those that were drawn first."""
    return [pairs[at] for at in sorted(range(len(pairs)), key=lambda at: (-rank[at], at))[:n]]


@pytest.mark.parametrize("more", MORE)
def test_rig_l_is_what_a_slow_program_makes_of_it(more, tmp_path):
    """Every second batch the weakest go, by their weights behind the optimiser's step, and of the pairs that were drawn
    those with the largest gradients come, which are those of synapses of weight 0."""
    made = made_of(models.RigL(every=2, fraction=0.25, candidates=3), more=more)
    for number, samples in enumerate(batches(4), 1):
        before, gradients = wired(made), of_all_pairs(made, samples, tmp_path, more)
        result = made.train_batch(samples)
        after = wired(made)
        for name, synapses in before.items():
            moved = {
                pair: np.float32(w) - np.float32(RATE) * np.float32(gradients[name][pair])
                for pair, w in synapses.items()
            }
            n = round(0.25 * len(synapses)) if number % 2 == 0 else 0
            goes = sorted(moved, key=lambda pair: (abs(moved[pair]), pair))[:n]
            candidates = drawn(name, number, 3 * n, synapses)
            comes = largest(candidates, [abs(gradients[name][pair]) for pair in candidates], n)
            assert len(comes) == n, "there were candidates enough"
            expected = {pair: w for pair, w in moved.items() if pair not in goes} | dict.fromkeys(comes, 0.0)
            assert after[name].keys() == expected.keys()
            assert result.rewired[name] == n
            for pair, weight in expected.items():
                assert after[name][pair] == pytest.approx(np.clip(weight, -LIMIT, LIMIT), abs=1e-6)


def test_a_shared_budget_goes_where_the_gradients_are(tmp_path):
    made, moved = made_of(models.RigLSharedBudget(every=2, fraction=0.25, candidates=5)), 0
    for number, samples in enumerate(batches(4), 1):
        before, gradients = wired(made), of_all_pairs(made, samples, tmp_path)
        made.train_batch(samples)
        after = wired(made)
        if number % 2:
            assert {name: set(pairs) for name, pairs in after.items()} == {
                name: set(one) for name, one in before.items()
            }
            continue
        numbers = {name: round(0.25 * len(pairs)) for name, pairs in before.items()}
        pool = [(name, pair) for name, n in numbers.items() for pair in drawn(name, number, 5 * n, before[name])]
        comes = largest(pool, [abs(gradients[name][pair]) for name, pair in pool], sum(numbers.values()))
        for name in NAMES:
            assert set(after[name]) - set(before[name]) == {pair for of, pair in comes if of == name}
        moved += abs(sum(name == "input_hidden" for name, _ in comes) - numbers["input_hidden"])
    assert moved, "synapses moved from one projection to the other"


def signs(name, pairs):
    """Of pairs (post, pre), half of which are positive: by a number that each has for ever."""
    number = stream(Purpose.ATTEMPTS, list(SIZES).index(name)) | Tag.PAIR << 24
    drawn_of = [
        words(SEED, number, np.array([post]), np.array([0]), draw=pre)[0] >> np.uint64(32) for post, pre in pairs
    ]
    return np.where(np.array(drawn_of, dtype=np.uint64) < 2**31, 1.0, -1.0)


def test_guided_deep_r_has_synapses_come_that_would_grow_with_their_sign(tmp_path):
    made = made_of(models.DeepRGuided(l1=0.05, candidates=0.5), optimiser=models.SGD(learning_rate=0.05))
    replaced = 0
    for number, samples in enumerate(batches(4), 1):
        before, gradients = wired(made), of_all_pairs(made, samples, tmp_path)
        result = made.train_batch(samples)
        for name in NAMES:
            rows = made.synapses(name)
            pairs = list(zip(rows["post"].tolist(), rows["pre"].tolist(), strict=True))
            np.testing.assert_array_equal(rows["sign"], signs(name, pairs))
            assert len(pairs) == len(before[name])
            assert (rows["weight"] * rows["sign"] >= 0).all()
            candidates = drawn(name, number, round(0.5 * len(before[name])), before[name])
            growth = [-gradients[name][pair] * s for pair, s in zip(candidates, signs(name, candidates), strict=True)]
            n, new = result.rewired[name], set(pairs) - set(before[name])
            replaced += n
            # Where there are too few candidates, the others come anywhere, such as where one has just gone.
            assert new >= set(largest(candidates, growth, n))
            assert n > len(candidates) or len(new) == n
    assert replaced > 20


def test_set_takes_the_weakest_and_draws_weights_within_its_bound(tmp_path):
    made = made_of(models.SparseEvolution(every=1, fraction=0.3, new_weight=0.1))
    for samples in batches(3):
        before, gradients = wired(made), of_all_pairs(made, samples, tmp_path)
        made.train_batch(samples)
        after = wired(made)
        for name, synapses in before.items():
            moved = {
                pair: np.float32(w) - np.float32(RATE) * np.float32(gradients[name][pair])
                for pair, w in synapses.items()
            }
            n = round(0.3 * len(synapses))
            stays = sorted(moved, key=lambda pair: (abs(moved[pair]), pair))[n:]
            assert set(stays) <= set(after[name])
            assert len(after[name]) == len(synapses)
            new = np.array([after[name][pair] for pair in set(after[name]) - set(stays)])
            assert len(new) == n
            assert (np.abs(new) <= 0.1).all()
            assert len(set(new.tolist())) > n // 2


def test_of_equal_weights_the_first_targets_and_sources_go():
    made = made_of(models.SparseEvolution(every=1, fraction=0.5), optimiser=models.SGD(learning_rate=0.0))
    made.train_batch(batches(1)[0])  # half of them are 0 now
    before = wired(made)
    zeros = {name: sorted(pair for pair, w in pairs.items() if w == 0.0) for name, pairs in before.items()}
    made.train_batch(batches(1)[0])
    for name, synapses in wired(made).items():
        n = round(0.5 * len(synapses))
        stays = sorted(before[name], key=lambda pair: (abs(before[name][pair]), pair))[n:]
        assert set(stays) <= set(synapses)
        assert len(zeros[name]) >= n


# -- the number of synapses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [models.SparseEvolution, models.RigL])
@pytest.mark.parametrize("p", [0.4, 1.0])
def test_a_network_grows_sparse_on_schedule(rule, p):
    """To the synapse in the end, from a dense network too, where nearly every pair that is drawn has one."""
    made = made_of(rule(every=2, fraction=0.2, sparse_from=2, sparse_until=11, final_probability=0.05), p=p * 0.999)
    first = {name: made.n_synapses(name) for name in NAMES}
    counts = [first]
    for samples in batches(14):
        made.train_batch(samples)
        counts.append({name: made.n_synapses(name) for name in NAMES})
    for name, (n_pre, n_post) in SIZES.items():
        final = round(0.05 * n_pre * n_post)
        for batch, found in enumerate(counts):
            updated = batch - batch % 2
            left = (1 - min(max(updated - 2, 0), 9) / 9) ** 3
            assert found[name] == pytest.approx(final + left * (first[name] - final), abs=2)
        assert counts[-1][name] == counts[12][name] == final


# -- one answer --------------------------------------------------------------------------------------------------------


def learnt(made, first=0, end=6):
    for samples in batches(end)[first:]:
        made.train_batch(samples)
    return made.digest()


ADAM = {"optimiser": models.Adam(learning_rate=0.02)}


@pytest.mark.parametrize("case", some(list(CASES), 2))
def test_ranks_do_not_change_a_bit(case):
    """Ranks by themselves, and in groups that share a network."""
    alone = learnt(made_of(CASES[case], **ADAM))
    for n_ranks, sharing in ((2, 1), (3, 3), (4, 2)):
        found = on_ranks(
            n_ranks, lambda comm, n=sharing: learnt(made_of(CASES[case], comm, ranks_per_network=n, **ADAM))
        )
        assert found == [alone] * n_ranks


@pytest.mark.parametrize("case", CASES)
def test_a_restart_in_mid_epoch_does_not_change_a_bit(case, tmp_path):
    cut, again = made_of(CASES[case], **ADAM), made_of(CASES[case], **ADAM)
    whole = learnt(made_of(CASES[case], **ADAM))
    learnt(cut, end=3)
    cut.save(tmp_path / "saved")
    again.restore(tmp_path / "saved")
    assert learnt(again, first=3) == whole


# As one rank of a GPU has them too, whose threads race.
OTHERWISE = {
    "windows": {"window_steps": 7},
    "replicas": {"replicas": 4},
    "threads": {"replicas": 3, "device": RacingThreads()},
}


@pytest.mark.parametrize("case", some(list(CASES), 2))
@pytest.mark.parametrize("otherwise", OTHERWISE)
def test_windows_replicas_and_threads_do_not_change_a_bit(case, otherwise):
    assert learnt(made_of(CASES[case], **ADAM, **OTHERWISE[otherwise])) == learnt(made_of(CASES[case], **ADAM))


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_eligibilities_of_pairs_without_a_synapse_are_refused():
    said = r"^projections\.input_hidden\.rewiring: rig_l is not allowed with gradient: online, which has eligibilities"
    with pytest.raises(ConfigurationError, match=said):
        made_of(models.RigL(), learning=models.EProp(gradient="online"))


@pytest.mark.parametrize("slot", ["turnover", "guide"])
@pytest.mark.parametrize("where", [{"trigger": "call"}, {"trigger": "every_ms", "replace": "projection"}])
def test_numbers_and_guides_are_for_rules_on_call_that_replace(slot, where):
    part = Turnover(lambda values, update: (0, 0)) if slot == "turnover" else Guide(lambda values, update: 0)
    with pytest.raises(
        ConfigurationError, match=rf"^mine\.{slot}: is not allowed with replace .* must be a rule on call"
    ):
        models.RewiringRule("mine", "", **{slot: part, **where})


def test_a_schedule_that_ends_before_it_begins_is_refused():
    said = r"^here\.sparse_from: 5 is not allowed; must be below sparse_until \(5\), where the number of synapses ends"
    with pytest.raises(ConfigurationError, match=said):
        models.RigL.configure("here", {"sparse_from": 5, "sparse_until": 5})


def test_what_a_guide_makes_of_a_gradient_must_be_a_number():
    guide = Guide(lambda values, update: 10, most="1.0f / (gradient - gradient)")
    rule = models.RewiringRule(
        "mine", "", trigger="call", replace="projection", guide=guide, initial="0.0f",
        turnover=Turnover(lambda values, update: (3, 3) if update.number else (0, 0)),
    )  # fmt: skip
    made = made_of(rule())
    with pytest.raises(SimulationError, match="finite"):
        made.train_batch(batches(1)[0])
