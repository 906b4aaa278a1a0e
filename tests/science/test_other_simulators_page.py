"""The page for those who come from other simulators: NEST's text has the rates that hpcsnn's is shown to have."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from support.pages import blocks

BLOCKS = blocks("other_simulators")
OTHERS = {text.splitlines()[0].removeprefix("# "): text for language, text in BLOCKS if language == "py"}


def rates_hz(said):
    return {name: float(rate) for name, rate in re.findall(r"^([EI]) ([\d.]+) Hz$", said, flags=re.MULTILINE)}


def test_the_others_are_python_with_the_numbers_of_ours():
    assert set(OTHERS) == {"ei_nest.py", "ei_brian2.py", "ei_pynn.py"}
    (ours,) = (text for language, text in BLOCKS if language == "python")
    said = {node.value for node in ast.walk(ast.parse(ours)) if isinstance(node, ast.Constant)}
    for text in OTHERS.values():
        constants = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
        assert {400, 100, 1000, 2.4, 1.5, 9.0, 0.1} <= constants & said


def test_nest_has_the_rates_of_ours(tmp_path):
    if subprocess.run([sys.executable, "-c", "import nest"], capture_output=True, check=False).returncode:
        pytest.skip("needs NEST (pip install nest-simulator, which has wheels for Linux on x86-64 and for macOS)")
    (tmp_path / "ei_nest.py").write_text(OTHERS["ei_nest.py"])
    command = [sys.executable, "ei_nest.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    (shown,) = (rates_hz(text) for language, text in BLOCKS if language == "console" and "ei_hpcsnn" in text)
    found = rates_hz(done.stdout)
    assert found.keys() == shown.keys() == {"E", "I"}
    # Networks that are drawn anew differ by 5 to 15 %.
    assert found == pytest.approx(shown, rel=0.3)
