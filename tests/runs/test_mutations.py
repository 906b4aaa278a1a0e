"""Whatever is wrong with a configuration or a call: the same result twice, or a message with name and value.

No traceback, no signal, no hang: each case runs in a process of its own.
"""

from __future__ import annotations

import math
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from hpcsnn.models.registry import KINDS, OF_TRAININGS, registered
from support import hostile_calls, mutations
from support.forked import Ended, Forks
from support.hostile import leaves
from support.hostile_calls import FUNCTIONS, arguments_of, signature_of
from support.lanes import some
from support.mutations import Mutated, mutated
from support.small_configurations import NAMES, small_configuration

# In the slow lane, 2,000 configurations at least, as many of each small one; and 500 calls.
BATCHES, IN_A_BATCH = 4, math.ceil(2000 / 4 / len(NAMES))
CALL_BATCHES, CALLS_IN_A_BATCH = 10, 50
# What a run has no use for.
OF_A_TRAINING = {
    *("sample_input", "trained", "deep_r_by_gradient", "deep_r_shared_budget", "soft_deep_r"),
    *("sparse_evolution", "rig_l", "rig_l_shared_budget", "deep_r_guided"),
}
ENDED = Ended(code=0, signal=0, hung=False, out="", err="", result=None)


@pytest.fixture(scope="module")
def forks():
    with Forks() as forks:
        yield forks


def tried(number, n_cases, cases, trouble):
    """Draw cases, always the same for the same number; a case with trouble is made small, and shown."""

    @seed(number)
    @settings(max_examples=n_cases)
    @given(cases)
    def each(case):
        found = trouble(case)
        assert found is None, f"{case!r}\n{found}"

    each()


def test_configurations_sampled(forks, tmp_path):
    cases = st.sampled_from(NAMES).flatmap(mutated)
    tried(0, 8, cases, lambda case: mutations.trouble(forks, case.text, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(1, 1 + BATCHES))
@pytest.mark.parametrize("name", NAMES)
def test_configurations(name, batch, forks, tmp_path):
    tried(batch, IN_A_BATCH, mutated(name), lambda case: mutations.trouble(forks, case.text, tmp_path))


def test_calls_sampled(forks):
    tried(0, 6, hostile_calls.calls(), lambda case: hostile_calls.trouble(forks, case))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(1, 1 + CALL_BATCHES))
def test_calls(batch, forks):
    tried(batch, CALLS_IN_A_BATCH, hostile_calls.calls(), lambda case: hostile_calls.trouble(forks, case))


# -- what the cases begin with -----------------------------------------------------------------------------------------


def test_every_model_that_ships_is_in_a_small_configuration():
    named = {leaf for name in NAMES for leaf in leaves(small_configuration(name)) if isinstance(leaf, str)}
    assert {
        name for kind in set(KINDS) - {*OF_TRAININGS, "unsupervised"} for name in registered(kind)
    } - OF_A_TRAINING <= named


@pytest.mark.parametrize("name", NAMES)
def test_small_configurations_are_small(name, forks, tmp_path):
    (tmp_path / "small.yaml").write_bytes(Mutated.of(name, small_configuration(name)).text)
    steps, work, n_bytes = forks.call("support.mutations:check", tmp_path / "small.yaml").result
    assert steps <= mutations.STEPS and work < mutations.MOST_WORK and n_bytes < mutations.MOST_BYTES


@pytest.mark.parametrize("name", some(NAMES))
def test_small_configurations_run(name, forks, tmp_path):
    path, text = tmp_path / "small.yaml", Mutated.of(name, small_configuration(name)).text
    path.write_bytes(text)
    assert mutations.trouble(forks, text, tmp_path) is None
    ended = forks.call("support.mutations:run", path, tmp_path / "again", None)
    assert ended.code == 0, ended.err
    assert "spikes" in ended.out


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_argument_has_its_turn(function):
    assert list(arguments_of(function)) == signature_of(function)


@pytest.mark.parametrize(
    "function", some(["Network", "Simulation.rewire", *(name for kind in KINDS for name in registered(kind))], 8)
)
def test_calls_with_nothing_wrong_give_a_digest(function, forks):
    ended = forks.call("support.hostile_calls:usual", function)
    assert ended.err == "" and ended.result[0] == "digest", ended


# -- the judge ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (replace(ENDED, err="Traceback (most recent call last):\nKeyError: 3"), "shows a traceback: KeyError: 3"),
        (replace(ENDED, err="a.py:3: RuntimeWarning: overflow"), "shows a warning of Python's: a.py:3: Runtime"),
        (replace(ENDED, code=None, signal=11), "dies of signal 11"),
        (replace(ENDED, code=None, signal=9, hung=True), "hangs"),
        (replace(ENDED, code=3, err="error: at fault"), "ends with code 3: error: at fault"),
    ],
)
def test_a_fault_is_seen(ended, words):
    assert mutations.fault(ended).startswith(words)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_messages_are_no_faults(code):
    assert mutations.fault(replace(ENDED, code=code, err="error: seed: -1 is not allowed")) is None


@pytest.mark.parametrize(
    ("said", "clear"),
    [
        ("error: populations.cells.size: -5 is not allowed; must be >= 1", True),
        ("error: populations.cells.size: 7 is not allowed; must be >= 1", False),
        ("error: seed: must be a whole number", False),
        ("error: -5 is not allowed", False),
        ("populations.cells.size: -5 is not allowed", False),
        ("error: projections: missing", True),
        ("error: mutated.yaml: not YAML: a tab (line 3)", True),
        ("error: seed: is given twice; a key may stand once (a/mutated.yaml, lines 1 and 2)", True),
        ("error: seed: is odd (a/mutated.yaml, line 1)", False),
        ("error: something went wrong", False),
    ],
)
def test_a_message_has_a_field_and_its_value(said, clear):
    text = b"seed: 4\npopulations: {cells: {size: -5, model: lif}}\n"
    assert (mutations.unclear(said, Path("mutated.yaml"), text) is None) == clear


def test_how_a_process_ended_is_known(forks):
    assert forks.call("operator:add", 2, 3) == replace(ENDED, result=5)
    assert forks.call("sys:exit", 7).code == 7
    assert forks.call("os:abort").signal == signal.SIGABRT
    assert "ZeroDivisionError" in forks.call("operator:truediv", 1, 0).err
    assert "MemoryError" in forks.call("builtins:bytearray", 2**33).err
    with Forks(wall_s=0.1) as impatient:
        assert impatient.call("time:sleep", 10_000).hung
        assert impatient.call("operator:add", 2, 3).result == 5, "others are not disturbed"
