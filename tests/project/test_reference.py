"""The reference in docs/api names all that is public, and docs/versions.md the formats as they are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import hpcsnn.testing
from hpcsnn import models
from hpcsnn.models.registry import KINDS, registered
from hpcsnn.runs.stored.opened_run import OpenedRun
from hpcsnn.storage import checkpoints, network_store, training_checkpoints
from support.processes import completed

ROOT = Path(__file__).parents[2]
READY = {
    name
    for name in models.__all__
    if isinstance(getattr(models, name), models.Model | models.Selection)  # and not a kind of model, or what it is of
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The pages of the reference as they are built, by name."""
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    done = completed(command, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(site.rglob("*.py"))
    return {path.parent.name: path.read_text() for path in (site / "api").glob("*/index.html")}


@pytest.mark.parametrize(
    ("page", "module", "names"),
    [
        ("hpcsnn", "hpcsnn", set(hpcsnn.__all__) - {"models"}),
        ("models", "hpcsnn.models", set(models.__all__) - READY),
        ("testing", "hpcsnn.testing", set(hpcsnn.testing.__all__)),
    ],
)
def test_every_public_class_has_an_entry(page, module, names, reference):
    entries = set(re.findall(rf'id="{re.escape(module)}\.(\w+)"', reference[page]))
    assert entries == names


def test_public_methods_have_entries_and_private_ones_none(reference):
    methods = set(re.findall(r'id="hpcsnn\.Simulation\.(\w+)"', reference["hpcsnn"]))
    assert methods >= {"run", "rewire", "neurons", "synapses", "spikes", "events", "rates_hz", "step", "time_ms"}
    of_run = set(re.findall(r'id="hpcsnn\.runs\.stored\.opened_run\.OpenedRun\.(\w+)"', reference["hpcsnn"]))
    assert of_run == {name for name in vars(OpenedRun) if not name.startswith("_")}
    assert not [name for name in methods if name.startswith("_")]


def test_every_model_that_ships_has_an_entry_with_its_parameters(reference):
    page = reference["shipped"]
    entries = dict(re.findall(r'<h3 id="\w+">(\w+)</h3>(.*?)(?=<h[23] |$)', page, flags=re.DOTALL))
    assert set(entries) == READY
    for kind in KINDS:
        for model in registered(kind).values():
            (name,) = (name for name in READY if getattr(models, name) is model)
            assert f"<code>{model.name}</code>" in entries[name]
            for parameter in (*model.parameters, *model.data):
                assert f"<code>{parameter}</code>" in entries[name], f"{name}: {parameter}"


def test_versions_has_the_formats_as_they_are():
    rows = re.findall(r"^\| `([\w-]+)` \| .* \| (\d+) \| `(.+)` \|$", (ROOT / "docs" / "versions.md").read_text(), re.M)
    assert rows == [
        (module.FORMAT, str(module.VERSION), f"{module.__name__.replace('.', '/')}.py")
        for module in (checkpoints, network_store, training_checkpoints)
    ]
