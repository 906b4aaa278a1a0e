"""The cost model: known costs come back from runs that follow from them, none is below zero, the error is that of the
most ranks left out; and what it suggests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpcsnn import ConfigurationError
from hpcsnn.planning.cost_model import TERMS, CostModel, fitted
from hpcsnn.planning.costs.dry_rows import DryRow, pace
from hpcsnn.planning.costs.waiting import largest_of
from hpcsnn.planning.measured import PHASES, Cycles, PingTime
from hpcsnn.planning.suggestion import suggested
from support.studies import BYTE_S, CHANCE_S, COSTS, LATENCY_S, RATES_HZ, a_run, a_shape

SHAPES = [a_shape(side) for side in (64, 128, 256)]


def study(noise=0.0, ranks=(1, 2, 4, 8), seeds=(1, 2, 3), **changes):
    """Runs of three networks, in which nothing grows with everything else."""
    return [a_run(n, shape, seed=seed, noise=noise, **changes) for shape in SHAPES for n in ranks for seed in seeds]


def test_known_costs_come_back():
    model = fitted(study())
    for phase, costs in COSTS.items():
        for term, cost in costs.items():
            assert model.costs[phase][term] == pytest.approx(cost, rel=1e-6, abs=1e-13), (phase, term)
    assert model.costs["message"] == pytest.approx({"latency": LATENCY_S, "byte": BYTE_S})
    assert model.costs["transfer"]["message"] == pytest.approx(1.0)
    assert model.costs["exchange_wait"]["chance"] == pytest.approx(CHANCE_S, rel=1e-6)


def test_messages_to_neighbours_cost_by_neighbour():
    shapes = [a_shape(side, exchange="neighbours") for side in (64, 128, 256)]
    runs = [a_run(n, shape) for shape in shapes for n in (1, 2, 4, 8)]
    model = fitted(runs)
    assert model.costs["message"] == pytest.approx({"latency": LATENCY_S, "byte": BYTE_S})
    large = shapes[2].work(RATES_HZ)
    per_step = {n: model.predict(large, n).phases_s["exchange_transfer"] for n in (64, 256)}
    assert large.neighbours(64) == large.neighbours(256) == 8
    assert per_step[64] == pytest.approx(8 * (LATENCY_S + BYTE_S * large.block_bytes(64)))
    assert per_step[256] <= per_step[64], "as many neighbours, and no more bytes to each"


def test_costs_come_back_through_noise():
    model = fitted(study(noise=0.05))
    assert model.costs["neurons"]["neuron"] == pytest.approx(COSTS["neurons"]["neuron"], rel=0.03)
    assert model.costs["rewiring"]["attempt"] == pytest.approx(COSTS["rewiring"]["attempt"], rel=0.05)
    for shape in SHAPES:
        for ranks in (16, 64):
            true = fitted(study()).predict(shape.work(RATES_HZ), ranks).step_s
            assert model.predict(shape.work(RATES_HZ), ranks).step_s == pytest.approx(true, rel=0.1)


def test_where_all_had_as_much_to_do_time_goes_by_the_work():
    """Runs of one network on one rank cannot tell what a step takes anyhow from what its neurons take."""
    runs = [a_run(1, SHAPES[1], seed=seed, noise=0.1) for seed in (1, 2, 3)]
    model = fitted(runs)
    assert model.costs["neurons"]["step"] == 0.0
    halves = model.predict(runs[0].work, 2).phases_s["neurons"]
    assert halves == pytest.approx(np.mean([run.phase_s("neurons") for run in runs]) / 2, rel=0.03)


def test_nothing_costs_less_than_nothing():
    """Where noise is larger than what there is, a plain fit would have costs below zero."""
    noisy = [fitted(study(noise=0.8, seeds=(seed,), ranks=(1, 2))) for seed in range(20)]
    assert min(cost for model in noisy for costs in model.costs.values() for cost in costs.values()) >= 0.0


def test_a_run_that_was_fitted_to_is_predicted_as_it_was():
    runs = study()
    model = fitted(runs)
    for run in runs:
        prediction = model.predict(run.work, run.ranks)
        assert prediction.step_s == pytest.approx(run.step_s, rel=1e-6)
        assert set(prediction.phases_s) == set(PHASES)
        for phase, seconds in prediction.phases_s.items():
            assert seconds == pytest.approx(run.phase_s(phase), rel=1e-6, abs=1e-12)


def test_the_error_is_that_of_the_most_ranks_by_the_others():
    runs = study(noise=0.02)
    left_out = fitted(runs).left_out
    assert (left_out.ranks, left_out.fitted_to) == (8, [1, 2, 4])
    without = fitted([run for run in runs if run.ranks < 8])
    expected = np.median([without.predict(run.work, 8).step_s for run in runs if run.ranks == 8])
    assert left_out.predicted_s == pytest.approx(expected, rel=1e-6)
    assert left_out.measured_s == np.median([run.step_s for run in runs if run.ranks == 8])
    assert left_out.error == left_out.predicted_s / left_out.measured_s - 1
    assert abs(left_out.error) < 0.05
    slower = [run.model_copy(update={"steps": run.steps // 2}) if run.ranks == 8 else run for run in runs]
    assert fitted(slower).left_out.error == pytest.approx(-0.5, abs=0.05), "the runs left out took twice as long"


def constructed(runs, seconds):
    """Runs whose ranks took for a part of their construction what a formula says of run and rank."""
    made = []
    for run in runs:
        per_rank = [
            one.model_copy(update={"construction_s": one.construction_s.model_copy(update=seconds(run, one))})
            for one in run.per_rank
        ]
        made.append(run.model_copy(update={"per_rank": per_rank}))
    return made


def test_known_costs_of_construction_come_back():
    def seconds(run, one):
        known = run.work.neurons * run.work.around(1 / run.ranks) if run.ranks > 1 else 0
        create = 0.3 + 2e-7 * (one.neurons + known) + 0.05 * math.log2(run.ranks)
        return {"place": 1e-3, "create": create, "connect": 0.01 + 6e-7 * one.synapses, "compile": 0.02}

    runs = constructed(study(), seconds)
    model = fitted(runs)
    assert model.construction["create"] == pytest.approx({"start": 0.3, "neuron": 2e-7, "talk": 0.05})
    assert model.construction["connect"] == pytest.approx({"start": 0.01, "synapse": 6e-7}, rel=1e-3)
    assert model.construction["compile"] == pytest.approx({"start": 0.02})
    for run in runs:
        assert model.predict(run.work, run.ranks).construction_s == pytest.approx(run.construction_s(), rel=1e-3)
    left_out = model.construction_left_out
    assert (left_out.ranks, left_out.fitted_to) == (8, [1, 2, 4])
    assert left_out.error == pytest.approx(0.0, abs=0.01)
    late = constructed(runs, lambda run, one: {"compile": 0.02 if run.ranks < 8 else 0.02 + run.construction_s()})
    assert fitted(late).construction_left_out.error == pytest.approx(-0.5, abs=0.01), "twice as long on 8"


def test_no_construction_is_promised_to_be_shorter_than_was_seen():
    """Runs of one network on one rank cannot tell what goes by neurons and synapses from what does not."""
    runs = constructed([a_run(1, SHAPES[1], seed=seed) for seed in (1, 2)], lambda *_: {"create": 0.6, "connect": 0.2})
    model = fitted(runs)
    assert model.predict(runs[0].work, 16).construction_s == pytest.approx(
        model.predict(runs[0].work, 1).construction_s
    )


def test_no_part_of_a_construction_costs_less_than_nothing():
    random = np.random.default_rng(1)
    for _ in range(10):
        noisy = constructed(study(seeds=(1,)), lambda *_: {"create": random.random(), "connect": random.random()})
        assert min(cost for costs in fitted(noisy).construction.values() for cost in costs.values()) >= 0.0


def test_runs_on_as_many_ranks_test_nothing():
    alone = fitted(study(ranks=(4,)))
    assert alone.left_out is None
    assert alone.construction_left_out is None
    with pytest.raises(ConfigurationError, match="cost model: there is no run that it could be fitted to"):
        fitted([])


def test_messages_are_as_in_the_ping_where_no_run_tells():
    """Runs of one rank, and what messages between 8 took by themselves."""
    alone = study(ranks=(1,))
    eight = a_run(8, SHAPES[0])
    with_ping = [run.model_copy(update={"ping": eight.ping}) for run in alone]
    predicted = fitted(with_ping).predict(eight.work, 8).phases_s["exchange_transfer"]
    assert predicted == pytest.approx(eight.phase_s("exchange_transfer"))
    assert fitted(alone).predict(eight.work, 8).phases_s["exchange_transfer"] == 0.0


def test_exchanges_as_runs_make_them_say_more_than_messages_of_mpi():
    """On one node they cost a tenth: a latency for each neighbour, or by log2 P, and the bytes as before."""
    eight = a_run(8, SHAPES[0])
    exchange_s = 0.3e-6
    empty = PingTime(kind="exchange", ranks=8, bytes=0, seconds=exchange_s)
    with_both = [run.model_copy(update={"ping": [empty, *eight.ping]}) for run in study(ranks=(1,))]
    costs = fitted(with_both).costs["message"]
    latencies = 3 if eight.work.exchange == "allgather" else eight.work.neighbours(8)
    assert costs["latency"] == pytest.approx(exchange_s / latencies)
    by_mpi = [run.model_copy(update={"ping": eight.ping}) for run in study(ranks=(1,))]
    assert costs["byte"] == fitted(by_mpi).costs["message"]["byte"]


def test_runs_of_one_rank_tell_by_what_their_steps_differ():
    """Of normal steps of 20 µs ± 3 the slowest of 8 is later by as many deviations as of normal numbers, where each has
    as much to do; with a part of it, steps differ by the root of that."""
    edges = np.linspace(0, 40, 401)
    counts = np.histogram(np.random.default_rng(1).normal(20, 3, 100_000), edges)[0].tolist()
    alone = a_run(1, SHAPES[0])
    ranks = [one.model_copy(update={"cycle_us": Cycles(edges=edges.tolist(), counts=counts)}) for one in alone.per_rank]
    model = fitted([alone.model_copy(update={"per_rank": ranks})])

    def work_s(prediction):
        return sum(seconds for phase, seconds in prediction.phases_s.items() if phase in TERMS)

    alone_s = work_s(model.predict(alone.work, 1))
    for work in (alone.work.grown(8), alone.work):
        prediction = model.predict(work, 8)
        waited = largest_of(8) * 3e-6 * math.sqrt(work_s(prediction) / alone_s)
        assert prediction.phases_s["exchange_wait"] == pytest.approx(waited, rel=0.02)


def test_the_largest_of_normal_numbers_by_its_closed_forms():
    """David & Nagaraja, Order Statistics: exact up to three, to six digits for ten and a hundred."""
    exact = {1: 0.0, 2: 1 / math.sqrt(math.pi), 3: 1.5 / math.sqrt(math.pi), 10: 1.538753, 100: 2.507594}
    for n, expected in exact.items():
        assert largest_of(n) == pytest.approx(expected, abs=1e-6)


def test_a_rank_with_more_work_is_waited_for():
    shape = a_shape(64).model_copy(update={"tiles": 3})
    model = fitted(study())
    model = model.model_copy(
        update={"costs": {**model.costs, "exchange_wait": {"largest": 1.0, "chance": 0, "part": 0, "root": 0}}}
    )
    work = shape.work(RATES_HZ)
    one = model.predict(work, 2)  # a rank has two tiles of three
    work_s = sum(seconds for phase, seconds in one.phases_s.items() if phase in TERMS)
    longest = sum(
        cost * {"step": 1, "exchange": 1, "neuron": work.neurons, "delivered": work.delivered, "post": work.posts,
                "attempt": work.attempts, "foreign": 0}[term] * (1 if term in ("step", "exchange") else 2 / 3)
        for phase in TERMS for term, cost in model.costs[phase].items()
    ) + model.costs["exchange_accept"]["foreign"] * work.spikes / 3  # fmt: skip
    assert one.phases_s["exchange_wait"] == pytest.approx(longest - work_s, rel=1e-6)


def a_dry_run(shape, ranks, *, seed=1, at_a_time=2, slower=1.0, build=1.0, **of_phase):
    """A dry run whose rank takes for its work what it costs, times some factors, and to construct 0.4 s."""
    run = a_run(ranks, shape)
    rank = run.per_rank[0]
    us = {phase: slower * of_phase.get(phase, 1.0) * 1e6 * getattr(rank.phases_s, phase) / run.steps for phase in TERMS}
    return DryRow(
        ranks=ranks, rank=0, seed=seed, at_a_time=at_a_time, work=run.work, neurons=rank.neurons,
        synapses=rank.synapses, cpu_us_per_step=sum(us.values()), phases_us_per_step=us, cpu="CPU",
        construction_s={"place": 0.0, "create": 0.3 * build, "connect": 0.08 * build, "compile": 0.02 * build},
        memory_bytes=1, digest_of_inputs="0",
    )  # fmt: skip


def test_dry_runs_tell_what_runs_on_one_rank_cannot():
    """What every step takes from what its work takes, and what others' spikes take."""
    runs = study(ranks=(1,))
    model = fitted(runs, [a_dry_run(SHAPES[0], ranks) for ranks in (4, 64)])
    for phase, costs in COSTS.items():
        assert model.costs[phase] == pytest.approx(costs, rel=1e-3, abs=1e-12), phase
    assert fitted(runs).costs["exchange_accept"] == {"exchange": 0.0, "foreign": 0.0}


def test_predictions_rest_on_dry_runs_of_as_many_ranks():
    """Where caches make a small part cheaper than its share, which no term of the model knows."""
    runs = study()
    cheap = [a_dry_run(SHAPES[2], 64, seed=seed, delivery=0.25) for seed in (1, 2)]
    model, without = fitted(runs, cheap), fitted(runs)
    work = SHAPES[2].work(RATES_HZ)
    tried, plain = model.predict(work, 64).phases_s, without.predict(work, 64).phases_s
    assert tried["delivery"] == pytest.approx(plain["delivery"] / 4, rel=0.01)
    assert tried["neurons"] == pytest.approx(plain["neurons"], rel=1e-6)
    assert model.predict(work, 16).phases_s["neurons"] == pytest.approx(without.predict(work, 16).phases_s["neurons"])
    assert set(model.corrections) == {64}
    assert CostModel.model_validate_json(model.model_dump_json()) == model


def test_the_error_is_told_with_dry_runs_of_the_ranks_left_out():
    """Ranks that share a node slow each other, as dry runs do that are made at once; runs of one know nothing of it."""
    slower = {phase: {term: 1.3 * cost for term, cost in costs.items()} for phase, costs in COSTS.items()}
    runs = [a_run(1, SHAPES[1], seed=n) for n in (1, 2)] + [a_run(2, SHAPES[1], seed=n, costs=slower) for n in (1, 2)]
    tried = [a_dry_run(SHAPES[1], 2, slower=1.3)]
    assert fitted(runs).left_out.error < -0.15
    assert abs(fitted(runs, tried).left_out.error) < 0.06


def test_a_machine_that_is_slower_than_it_was_changes_no_prediction():
    """One rank alone is run again and tells."""
    runs = study()
    ranks = (4, 64)
    alike = [a_dry_run(SHAPES[2], 1, at_a_time=1), *(a_dry_run(SHAPES[2], n) for n in ranks)]
    late = [row.slowed(1.6, 2.5) for row in alike]
    one = [a_run(1, SHAPES[2])]
    before, now = pace(alike, one), pace(late, one)
    assert now.steps == pytest.approx(1.6 * before.steps)
    assert now.construction == pytest.approx(2.5 * before.construction)
    for tried in (alike, late):
        model = fitted([run for run in runs if run.work.largest == SHAPES[2].work(RATES_HZ).largest], tried)
        assert model.costs["neurons"] == pytest.approx(COSTS["neurons"], rel=1e-3)
    assert pace(late[1:], runs) is None, "no dry run of one rank"
    assert pace(late, [run for run in runs if run.ranks > 1]) is None, "no run on one rank"


def test_a_dry_run_whose_processor_others_had_counts_by_its_own_time():
    row = a_dry_run(SHAPES[0], 4)
    crowded = row.model_copy(
        update={"phases_us_per_step": {phase: 3 * us for phase, us in row.phases_us_per_step.items()}}
    )
    assert crowded.work_s == pytest.approx(row.work_s)
    assert crowded.phase_s("neurons") == pytest.approx(row.phase_s("neurons"))


def test_more_ranks_than_tiles_are_refused():
    work = a_shape(64).work(RATES_HZ)
    for ranks in (0, 65):
        with pytest.raises(ConfigurationError, match=f"ranks: {ranks} is not allowed; must be .* and <= 64, the tiles"):
            fitted(study()).predict(work, ranks)


def test_the_model_is_plain_data():
    model = fitted(study(noise=0.02))
    assert CostModel.model_validate_json(model.model_dump_json()) == model


def test_ranks_are_suggested_as_long_as_they_pay():
    model, work = fitted(study()), SHAPES[1].work(RATES_HZ)
    found = suggested(model, work)
    efficiency = {one.ranks: one.efficiency for one in found.candidates}
    alone_s = model.predict(work, 1).step_s
    for ranks, value in efficiency.items():
        assert value == pytest.approx(alone_s / (ranks * model.predict(work, ranks).step_s))
    assert efficiency[found.ranks] >= 0.5 > efficiency[2 * found.ranks]
    assert (
        f"{2 * found.ranks} ranks would have an efficiency of {efficiency[2 * found.ranks]:.2f}, below 0.5" in found.why
    )
    assert "messages" in found.why
    assert suggested(model, work, 0.9).ranks < found.ranks < suggested(model, work, 0.05).ranks
    assert suggested(model, SHAPES[2].work(RATES_HZ)).ranks > found.ranks, "a larger network pays on more"


def test_all_ranks_pay_where_nothing_is_exchanged():
    free = {**COSTS, "exchange_accept": {"exchange": 0.0, "foreign": 0.0}, "neurons": {"step": 0.0, "neuron": 1e-6}}
    alone = [run.model_copy(update={"ping": []}) for run in study(ranks=(1,), costs=free)]
    found = suggested(fitted(alone), a_shape(64).work(RATES_HZ), 0.01)
    assert found.ranks == 64
    assert found.why == "more have nothing to do: 64 ranks have one tile or two of the network each"


@pytest.mark.parametrize("least", [0.0, -1.0, 1.5, math.nan])
def test_an_efficiency_that_is_none_is_refused(least):
    with pytest.raises(
        ConfigurationError, match=r"--least-efficiency: .* is not allowed; must be a number > 0 and <= 1"
    ):
        suggested(fitted(study()), SHAPES[0].work(RATES_HZ), least)
