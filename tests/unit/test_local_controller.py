"""A job on this machine: the words that start its controller, which no shell reads, and what that is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hpcsnn.jobs.local_controller import LocalExecutor


class Started:
    """Stands for a process."""

    pid = 4242

    def __init__(self, words, env, start_new_session):
        self.words, self.env, self.own_session = words, env, start_new_session


@pytest.mark.parametrize("setup", [None, ["module load 'a b'", "export X=1"]])
def test_a_job_is_the_controllers_process_after_the_setup_if_there_is_one(setup, tmp_path, monkeypatch):
    started = []

    def popen(words, **how):
        started.append(Started(words, **how))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    folder = tmp_path / "it's $HOME; logs"
    executor = LocalExecutor(folder=folder, max_num_timeout=9)
    executor.update_parameters(timeout_min=1.5, signal_delay_s=20, setup=setup)
    job = executor.submit(len, [1, 2])
    (process,) = started
    assert job.job_id == "4242", "the process's number, by which it can be stopped"
    assert process.words[-4:] == [sys.executable, "-m", "hpcsnn.jobs.local_controller", str(folder)]
    if setup is None:
        assert len(process.words) == 4
    else:
        assert process.words[:2] == ["/bin/bash", "-c"]
        assert process.words[2].splitlines() == [*setup, 'exec "$@"']
        assert str(folder) not in process.words[2]
    assert process.own_session, "Ctrl-C at whoever waits for it is not for the job"
    assert process.env["SUBMITIT_LOCAL_TIMEOUT_S"] == "90"
    assert process.env["SUBMITIT_LOCAL_SIGNAL_DELAY_S"] == "20"
    assert process.env["SUBMITIT_LOCAL_NTASKS"] == "1", "the supervisor alone, which starts the ranks"
