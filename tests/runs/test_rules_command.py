"""`hpcsnn rules`, and what `hpcsnn run` says of rules that it cannot run."""

from __future__ import annotations

import json
import re

from support.ranks import hpcsnn
from support.rules import GOOD


def test_a_run_from_a_configuration_calls_no_rule(tmp_path):
    called = GOOD.replace('"mine", ', '"mine", trigger="call", doc=', 1)
    (tmp_path / "mine.py").write_text(called)
    refused = hpcsnn("run", "topomap", "--set", "projections.ff.rewiring=mine.py:Mine", cwd=tmp_path)
    assert refused.returncode == 2
    assert "projections.ff.rewiring.mine: updates when it is called (Simulation.rewire, in Python)" in refused.stderr


def test_rules_are_listed_and_shown(tmp_path):
    listed = hpcsnn("rules").stdout
    for name in (
        "bamford",
        "bamford_2010",
        "last_to_fire",
        "local_proposals",
        "deep_r",
        "homeostatic",
        "lif",
        "gaussian",
    ):
        assert re.search(rf"^{name} ", listed, re.MULTILINE), name
    current = hpcsnn("rules", "show", "ramp_current").stdout
    for words in (
        "to_amplitude",
        "every current has from_ms (0), to_ms (until",
        "(float)(step - from_step)",
    ):
        assert words in current, words
    shown = hpcsnn("rules", "show", "homeostatic").stdout
    for words in (
        "vacant_loss",
        "elements / s",
        "pairing.offers:",
        "(int)axon_elements - out_degree",
        "10.1371/journal",
    ):
        assert words in shown, words
    (tmp_path / "mine.py").write_text(GOOD)
    shown = hpcsnn("rules", "show", "mine.py", cwd=tmp_path).stdout
    assert "mine (rewiring rule): Synapses go by chance" in shown
    assert "initial.weight:\n  0.1f" in shown
    wrong = hpcsnn("rules", "show", "bamfort")
    assert wrong.returncode == 2
    assert "unknown name 'bamfort'" in wrong.stderr
    assert "Did you mean 'bamford'?" in wrong.stderr


def test_rules_are_tested(tmp_path):
    (tmp_path / "good.py").write_text(GOOD)
    bad = GOOD.replace('eliminate="0.2f"', 'eliminate="false"')
    (tmp_path / "bad.py").write_text(bad.replace("(2,)", "()"))
    good = hpcsnn("rules", "test", "good.py", cwd=tmp_path)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "11 of 11 tests pass" in good.stdout
    bad = hpcsnn("rules", "test", "bad.py", cwd=tmp_path)
    assert bad.returncode == 1
    assert "fails  something comes or goes" in bad.stdout
    assert "give the rule more to do" in bad.stdout
    told = hpcsnn("rules", "test", "bad.py", "--json", cwd=tmp_path)
    assert told.returncode == 1
    (rule,) = json.loads(told.stdout)
    assert (rule["rule"], rule["passed"]) == ("TestMine", False)
    (failed,) = (test for test in rule["tests"] if not test["passed"])
    assert failed["test"] == "something comes or goes"
    assert "give the rule more to do" in failed["complaint"]
