"""The examples of workflow managers: by the manager where it is installed, else the commands that it would give."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from hpcsnn.runs.stored.opened_run import open_run
from support.processes import completed

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / "examples" / "workflows"
SNAKEFILE, HYDRA = WORKFLOWS / "Snakefile", WORKFLOWS / "hydra_sweep.py"


@pytest.fixture
def environment():
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def shell_commands(text, seeds):
    """The commands of a Snakefile in the order of their rules, those with a seed for each."""
    for output, block in re.findall(r'output:\n\s+"(.+?)",\n\s+shell:\n((?:\s+".*"\n)+)', text):
        command = "".join(re.findall(r'"(.*)"', block)).replace("{output}", output)
        yield from dict.fromkeys(command.replace("{wildcards.seed}", str(seed)) for seed in seeds)


def test_snakemakes_rules_give_runs_and_a_table_of_both(tmp_path, environment):
    snakemake = shutil.which("snakemake", path=environment["PATH"])
    if snakemake:
        commands = [[snakemake, "--snakefile", str(SNAKEFILE), "--cores", "2"]]
    else:
        commands = [["sh", "-c", command] for command in shell_commands(SNAKEFILE.read_text(), (1, 2))]
        assert len(commands) == 4
    for command in commands:
        done = completed(command, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
    digests = json.loads((tmp_path / "runs" / "digests.json").read_text())
    assert [one["run"] for one in digests] == ["runs/seed1", "runs/seed2"]
    assert len({one["digest"] for one in digests}) == 2
    compared = json.loads((tmp_path / "runs" / "compared.json").read_text())
    assert compared["configuration"] == {"seed": {"A": 1, "B": 2}}


def test_hydras_settings_are_laid_over_a_configuration(tmp_path, environment, monkeypatch):
    varied = ["settings.seed=2", "settings.projections.ff.weight=0.1"]
    if importlib.util.find_spec("hydra") is not None:
        command = [sys.executable, str(HYDRA), f"hydra.run.dir={tmp_path}", *varied]
        done = completed(command, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
    else:
        monkeypatch.syspath_prepend(WORKFLOWS)
        import hydra_sweep

        settings = {"seed": 2, "duration_ms": 200, "projections": {"ff": {"weight": 0.1}}}
        assert 0 < hydra_sweep.target_rate_hz("topomap", settings, tmp_path / "run") < 100
    configuration = open_run(tmp_path / "run").configuration
    assert (configuration["seed"], configuration["projections"]["ff"]["weight"]) == (2, 0.1)
    assert configuration["duration_ms"] == 200.0
