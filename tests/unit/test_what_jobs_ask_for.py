"""What a job asks for: the site's profile, the network's size, flags; and what a sweep varies."""

from __future__ import annotations

import re

import pytest

from hpcsnn import ConfigurationError
from hpcsnn.configuration.files import load_configuration
from hpcsnn.jobs.sweeps import parse_vary
from hpcsnn.planning.request import make_request
from hpcsnn.planning.site_profiles import SiteProfile, load_profile


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "--vary 'seed': must be key=values, such as seed=1..10 or scale=1,2,4"),
        ("seed=3..1", "--vary 'seed=3..1': must go upwards, over at most 10000 values"),
        ("seed=1,,2", "--vary 'seed=1,,2': each value must be given, and once"),
        ("seed=1,1", "--vary 'seed=1,1': each value must be given, and once"),
    ],
)
def test_what_cannot_vary_says_why(text, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        parse_vary(text)


def test_what_varies():
    assert parse_vary("seed=1..3") == ("seed", [1, 2, 3])
    assert parse_vary("projections.ff.weight=0.1,0.2") == ("projections.ff.weight", [0.1, 0.2])
    assert parse_vary("projections.ff.synapse=static,additive_stdp")[1] == ["static", "additive_stdp"]


@pytest.fixture
def clusters(tmp_path, monkeypatch):
    file = tmp_path / "clusters.yaml"
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(file))
    return file


def test_profiles_are_optional_and_named(clusters):
    assert load_profile(None) == SiteProfile()
    clusters.write_text(
        "default: {partition: small}\nbig: {partition: large, modules: [cuda], sbatch: {exclusive: true}}\n"
    )
    assert load_profile(None).partition == "small"
    assert load_profile("big").modules == ["cuda"]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (
            "big: {partition: a}",
            "bgi",
            "unknown name 'bgi'; allowed: big, cpu_mpiexec, gpu_per_rank, srun_pmix, workstation. Did you mean 'big'?",
        ),
        ("big: {partitoin: a}", "big", "unknown name 'partitoin'; allowed: account, "),
        ("big: {mpi: slurm}", "big", "big.mpi: 'slurm' is not allowed; input should be 'auto', 'srun' or 'mpiexec'"),
        ("big: {gpus_per_node: -1}", "big", "big.gpus_per_node: -1 is not allowed; input should be greater than"),
        ("big: partition", "big", "big: 'partition' is not allowed; must be a mapping of keys to values"),
        ("- big", "big", "must be a mapping of profile names to profiles"),
        ("big: {", "big", "clusters.yaml: not YAML: "),
    ],
)
def test_a_wrong_profile_names_the_key(clusters, text, name, message):
    clusters.write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(message)) as error:
        load_profile(name)
    assert str(clusters) in str(error.value)


def test_what_is_asked_for_follows_the_network():
    small, large = load_configuration("topomap"), load_configuration("topomap", ["scale=32"])
    assert make_request(small, SiteProfile()).ranks == 1
    request = make_request(large, SiteProfile(), nodes=2)
    assert request.ranks == 2 * (2 * 512**2 // 30_000 // 2)
    assert request.memory_gb >= 1
    assert make_request(large, SiteProfile(), nodes=2, gpus_per_node=4).ranks == 8
    assert make_request(large, SiteProfile(ranks_per_node=6), nodes=2).ranks == 12
    assert make_request(small, SiteProfile(), time_min=1.0).grace_s == 30
    assert 60 <= make_request(small, SiteProfile(), time_min=60.0).grace_s < 120


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"nodes": 2, "ranks": 3}, "--ranks: 3 is not allowed; must be a multiple of --nodes 2"),
        ({"ranks": 4, "gpus_per_node": 2}, "--ranks: 4 is not allowed; 1 x 2 GPUs serve at most 2 ranks, one each"),
        ({"grace_s": 90, "time_min": 1.0}, "--grace: 90 s is not allowed; must be shorter than --time (60 s)"),
        ({"ranks": 5}, "ranks: 5 is not allowed; the largest population has 4 tiles of side 8"),
    ],
)
def test_ranks_that_do_not_fit_say_why(asked, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        make_request(load_configuration("topomap"), SiteProfile(), **asked)
