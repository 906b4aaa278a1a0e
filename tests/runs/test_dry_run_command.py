"""hpcsnn dry-run as users type it."""

from __future__ import annotations

import json

import pytest

from hpcsnn.ranks.partition import place_network
from support.networks import topographic_map
from support.ranks import hpcsnn

SHORT = ("--duration", "50ms", "--warm-up", "10ms")


def test_a_rank_of_very_many_says_what_it_takes(tmp_path):
    asked = ("dry-run", "topomap", "--set", "scale=256", "--ranks", "4096", "--rank", "17", *SHORT)
    done = hpcsnn(*asked, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    placements = place_network(topographic_map(scale=256), 8, 17, 4096)
    assert (found["rank"], found["ranks"], found["steps"]) == (17, 4096, 500)
    assert found["neurons"] == sum(one.n_own for one in placements.values()) == 8192
    assert found["known_sources"] == sum(one.n_known - one.n_own for one in placements.values())
    assert found["synapses"] > 10_000
    owners = {int(rank) for one in placements.values() for rank in one.owners}
    assert found["neighbours"] == found["messages_sent_per_step"] == len(owners)
    assert found["bytes_sent_per_step"] >= 64 * len(owners)
    assert found["spikes_sent_per_step"] > 0.1
    assert found["cpu_us_per_step"] > 0
    assert all(us >= 0.0 for us in found["phases_us_per_step"].values())
    assert {"neurons", "delivery", "rewiring", "exchange_transfer", "host"} <= set(found["phases_us_per_step"])
    assert found["setup_s"] > 0
    assert found["memory_bytes"] > 2**25
    again = json.loads(hpcsnn(*asked, "--json", cwd=tmp_path).stdout)
    other = json.loads(hpcsnn(*asked, "--set", "seed=2", "--json", cwd=tmp_path).stdout)
    assert again["digest_of_inputs"] == found["digest_of_inputs"] != other["digest_of_inputs"]
    assert again["spikes_sent_per_step"] == found["spikes_sent_per_step"] != other["spikes_sent_per_step"]
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_the_worst_rank_is_taken_and_a_table_shown(tmp_path):
    done = hpcsnn("dry-run", "topomap", "--set", "scale=4", "--ranks", "3", *SHORT, cwd=tmp_path, columns=80)
    assert done.returncode == 0, done.stderr
    for said in ("of 3, 500 steps", "processor time of a step", "neighbours", "exchange, accept", "Without the time"):
        assert said in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_where_all_send_to_all_others_spike_at_given_rates(tmp_path):
    (tmp_path / "summary.json").write_text(
        json.dumps({"digest": "", "populations": {name: {"rate_hz": 500.0} for name in ("E", "I")}})
    )
    small = ("--set", "populations.E.size=640", "--set", "populations.I.size=160")
    few = [word for name in ("excitation_of_e", "excitation_of_i", "inhibition_of_e", "inhibition_of_i")
           for word in ("--set", f"projections.{name}.connector.fixed_in_degree.in_degree=10")]  # fmt: skip
    asked = ("dry-run", "brunel", *small, *few, "--ranks", "8", "--rank", "3", "--rates", str(tmp_path), *SHORT)
    done = hpcsnn(*asked, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["neurons"] + found["known_sources"], found["neighbours"]) == (800, 7)
    each = 800 / 7 * 500.0 * 1.5e-3  # of the others in an exchange: six rounds of 15 spikes, at least
    assert found["messages_sent_per_step"] * 15 / 7 >= each / 15
    assert all(us >= 0.0 for us in found["phases_us_per_step"].values())
    assert found["synapses"] == 20 * found["neurons"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            ("brunel", "--ranks", "2"),
            "needs to be told how often neurons of E, I spike; --rates RUN",
        ),
        (
            ("topomap", "--ranks", "2", "--set", "exchange=allgather"),
            "exchange: 'allgather' is not allowed in a dry run",
        ),
        (("homeostatic", "--ranks", "2"), "dry-run: not allowed where ranks meet for rules of rewiring"),
        (("topomap", "--ranks", "2", "--rank", "2"), "--rank: '2' is not allowed; must be worst or a number from 0"),
        (("topomap", "--ranks", "2", "--duration", "1"), "--duration: '1' is not allowed; must be a time with its"),
        (("digits", "--ranks", "2"), "describes a training"),
    ],
)
def test_what_is_not_possible_is_refused(asked, said):
    done = hpcsnn("dry-run", *asked)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
