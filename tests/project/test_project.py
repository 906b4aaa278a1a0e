"""The project as a whole: style and types, the wheel, the README's examples, the size of its modules."""

from __future__ import annotations

import os
import re
import sys
import zipfile
from pathlib import Path

import pytest

from support.processes import completed

ROOT = Path(__file__).parent.parent.parent


def run(*command, cwd=ROOT, **environment):
    return completed(command, 300, cwd=cwd, env={**os.environ, **environment})


@pytest.mark.quick
@pytest.mark.parametrize("check", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_style_and_types(check):
    done = run(sys.executable, "-m", *check)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.quick
def test_no_module_is_over_400_lines():
    files = [path for folder in ("hpcsnn", "kernels", "scaling", "tests") for path in (ROOT / folder).rglob("*.*")]
    long = {str(path): n for path in files if path.suffix != ".json" and path.suffix in (".py", ".cu", ".cuh", ".cpp")
            and (n := len(path.read_text().splitlines())) > 400}  # fmt: skip
    assert not long


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as its wheel installs it, in a folder of its own, and the wheel's file names."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet"]
    built = run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    done = run(*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel))
    assert done.returncode == 0, done.stderr
    return folder / "site", zipfile.ZipFile(wheel).namelist()


def test_the_wheel_holds_kernels_and_configurations(installed):
    _, names = installed
    for folder in ("kernels", "configs"):
        ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {name.removeprefix("hpcsnn/") for name in names if name.startswith(f"hpcsnn/{folder}/")} == ours
    assert not any(name.startswith(("tests/", "scaling/")) for name in names)
    assert "hpcsnn/analysis/report.html.jinja" in names


def test_the_wheel_runs_away_from_the_checkout(installed, tmp_path):
    site, _ = installed
    text = "import hpcsnn, sys; print(hpcsnn.__file__); from hpcsnn.cli.app import app; app()"
    arguments = ["run", "topomap", "--set", "duration_ms=100", "--device", "cpu", "--no-figures"]
    done = run(sys.executable, "-c", text, *arguments, cwd=tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(site))
    assert (tmp_path / "runs" / "topomap" / "summary.json").is_file()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_the_readmes_python_runs(tmp_path):
    network, model, rule = blocks("python")
    assert len([line for line in network.splitlines() if line.strip()]) <= 18, "a dozen lines and what they print"
    (tmp_path / "example.py").write_text(network.replace("60_000", "200") + model)
    done = run(sys.executable, "example.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ synapses, mean weight 0\.1\d+.* and \d+ spikes\n\d+\.\d+ Hz\n$", done.stdout)
    (tmp_path / "my_rule.py").write_text(rule)
    options = ["--set", "projections.ff.rewiring=my_rule.py:MyRule", "--set", "duration_ms=500", "--no-figures"]
    done = run(str(Path(sys.executable).parent / "hpcsnn"), "run", "topomap", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"formed +[1-9]", done.stdout)


@pytest.mark.quick
def test_the_readmes_yaml_is_a_configuration(tmp_path):
    from hpcsnn.configuration.files import load_configuration

    (example,) = blocks("yaml")
    (tmp_path / "example.yaml").write_text(example)
    network = load_configuration(tmp_path / "example.yaml").network()
    assert network.projections["ff"].rewiring is not None


@pytest.mark.quick
def test_ci_runs_the_readmes_test_command():
    install, test = (block for block in blocks("sh") if "venv" in block)
    assert "pip install '.[mpich]' && hpcsnn run configs/topomap.yaml" in install
    script = (ROOT / ".ci" / "run").read_text()
    for part in ("python3 -m venv", "-e '.[test]'", "-m pytest"):
        assert part in test
        assert part in script


@pytest.mark.quick
def test_architecture_names_files_that_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = set(re.findall(r"`((?:hpcsnn|kernels|configs|scaling|tests)/[\w./]+)`", text))
    assert len(named) > 20
    assert not [name for name in named if not (ROOT / name).exists()]
