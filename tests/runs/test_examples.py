"""The examples: each runs as its docstring says, and what it prints is what it should be."""

from __future__ import annotations

import ast
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.image import imread

from hpcsnn import open_run
from support.processes import completed

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted([*(ROOT / "examples").glob("*.py"), *(ROOT / "examples" / "studies").glob("*.py")])


def commands(example):
    """What the docstring of an example says to type."""
    return re.findall(r"^ +\$ (.+)$", ast.get_docstring(ast.parse(example.read_text()), clean=False), re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that has a copy of the examples."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


@pytest.fixture(scope="module")
def printed(folder):
    """What a command prints in the folder; each command runs once."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "",  # a line of one rank is not cut by another's
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    outputs = {}

    def run(command):
        if command not in outputs:
            done = completed(command.split(), cwd=folder, env=environment, stderr=subprocess.STDOUT)
            assert done.returncode == 0, done.stdout
            outputs[command] = done.stdout
        return outputs[command]

    return run


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", text)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_each_runs_as_it_says(example, printed):
    typed = commands(example)
    assert typed
    for command in typed:
        assert str(example.relative_to(ROOT)) in command
        assert printed(command)


def test_the_first_network_has_one_answer(printed):
    alone, together = (printed(command).splitlines() for command in commands(ROOT / "examples" / "first_network.py"))
    assert (len(alone), len(together)) == (1, 2)  # each rank speaks of its own part
    synapses, weight, spikes = numbers(alone[0])
    parts = [numbers(line) for line in together]
    assert sum(part[0] for part in parts) == synapses
    assert sum(part[2] for part in parts) == spikes
    assert sum(part[0] * part[1] for part in parts) / synapses == pytest.approx(weight, rel=1e-5)


def test_ranks_have_one_answer(printed):
    alone, together = (printed(command).splitlines() for command in commands(ROOT / "examples" / "ranks.py"))
    assert alone[1] == together[1]
    assert numbers(alone[1])[1] > 0, "no spikes: the fingerprint says nothing"
    assert numbers(alone[0]) == [1024]
    assert len(numbers(together[0])) == 3
    assert sum(numbers(together[0])) == 1024


def test_the_neuron_spikes_as_often_as_its_charge_says(printed):
    """A spike for each unit of charge: what a synapse brings, 50 times a second, less what leaks."""
    (rate_hz,) = numbers(printed(*commands(ROOT / "examples" / "own_neuron.py")))
    a_spike_brings = 0.02 / (1 - math.exp(-0.1 / 5))
    # Each spike throws away what is above the threshold, at most what a step brings: a few per cent.
    assert rate_hz == pytest.approx(50 * a_spike_brings - 0.001 * 10_000, rel=0.05)


def test_the_rule_forms_synapses_and_passes_its_tests(printed):
    run, show, test = commands(ROOT / "examples" / "own_rule.py")
    formed = re.search(r"^formed +([\d,]+)", printed(run), re.MULTILINE)
    assert int(formed[1].replace(",", "")) > 0
    assert "in_degree < enough" in printed(show)
    assert re.search(r"^(\d+) of \1 tests pass$", printed(test), re.MULTILINE)


def test_a_resumed_run_is_the_one_that_never_stopped(printed):
    lines = printed(*commands(ROOT / "examples" / "resume_and_fork.py")).splitlines()
    straight, resumed, forked = (re.split(r" {2,}| from step | to ", line)[-1] for line in lines)
    assert straight == resumed != forked
    assert [numbers(line)[:2] for line in lines] == [[0, 20_000], [10_000, 20_000], [5000, 15_000]]


def test_a_closed_eye_loses_its_map_and_the_shorter_the_less(printed, folder):
    """A twentieth of the study's time: too little for synapses to go, enough for fields to widen."""
    lines = printed(*commands(ROOT / "examples" / "studies" / "critical_period.py")).splitlines()
    closed_s, spread, *_ = zip(*map(numbers, lines), strict=True)
    assert closed_s == (0, 0.5, 1)
    assert spread[0] < spread[1] < spread[2]
    fork = open_run(folder / "runs" / "opened_at_1500ms")
    assert [change["at_ms"] for change in fork.configuration["changes"]] == [1000, 2000, 1500]
    assert imread(folder / "critical_period.png").std() > 0.05, "nothing is drawn"
