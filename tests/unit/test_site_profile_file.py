"""The user's file of profiles: where it is looked for, which profile is taken, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcsnn import ConfigurationError
from hpcsnn.planning.site_profiles import SiteProfile, load_profile, profiles_file

TEXT = """
default: {partition: small}
big:
  partition: large
  modules: [cuda/12, openmpi]
  mpi: srun
  scratch: /scratch/me
  ranks_per_node: 48
  sbatch: {exclusive: true, mail-user: me@there, reservation: 7}
"""


@pytest.fixture
def clusters(tmp_path, monkeypatch):
    file = tmp_path / "clusters.yaml"
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(file))
    return file


def test_the_file_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("HPCSNN_CLUSTERS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert profiles_file() == tmp_path / "hpcsnn" / "clusters.yaml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    assert profiles_file() == Path.home() / ".config" / "hpcsnn" / "clusters.yaml"
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(tmp_path / "mine.yaml"))
    assert profiles_file() == tmp_path / "mine.yaml"


def test_a_profile_is_what_its_keys_say_and_the_rest_as_ever(clusters):
    clusters.write_text(TEXT)
    big = load_profile("big")
    assert (big.partition, big.modules, big.mpi, big.ranks_per_node) == ("large", ["cuda/12", "openmpi"], "srun", 48)
    assert big.scratch == Path("/scratch/me")
    assert big.sbatch == {"exclusive": True, "mail-user": "me@there", "reservation": 7}
    assert (big.account, big.gpus_per_node, big.setup, big.mpi_plugin) == (None, None, [], "pmi2")


def test_the_default_is_taken_where_no_name_is_given(clusters):
    assert load_profile(None) == SiteProfile(), "no file is no profile"
    clusters.write_text(TEXT)
    assert load_profile(None) == load_profile("default") == SiteProfile(partition="small")
    clusters.write_text("big: {partition: large}\n")
    assert load_profile(None) == SiteProfile()
    clusters.write_text("")
    assert load_profile(None) == SiteProfile()
    with pytest.raises(ConfigurationError, match="unknown name 'big'"):
        load_profile("big")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mpi: slurm", "big.mpi: 'slurm' is not allowed; input should be 'auto', 'srun' or 'mpiexec'"),
        ("ranks_per_node: 0", "big.ranks_per_node: 0 is not allowed; input should be greater than or equal to 1"),
        ("modules: cuda", "big.modules: 'cuda' is not allowed; input should be a valid list"),
        ("partitoin: a", "big: unknown name 'partitoin'; allowed: account, "),
    ],
)
def test_every_mistake_is_told_with_file_profile_and_key(line, said, clusters):
    clusters.write_text(f"big:\n  {line}\n  qos: [1]\n")
    with pytest.raises(ConfigurationError) as error:
        load_profile("big")
    lines = str(error.value).splitlines()
    assert len(lines) == 2
    assert lines[lines[0].startswith("big.qos")].startswith(said)
    assert f"big.qos: [1] is not allowed; input should be a valid string ({clusters}, line 3)" in lines
    assert sum(line.endswith(f" ({clusters}, line 2)") for line in lines) == 1
