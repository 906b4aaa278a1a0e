"""The profiles that ship: each loads, the user's take precedence, and a name that is neither is told all of both."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hpcsnn.cli.app import app
from hpcsnn.errors import ConfigurationError
from hpcsnn.planning.site_profiles import SiteProfile, load_profile, shipped_profiles
from hpcsnn.shipped_files import site_folder

ROOT = Path(__file__).parents[2]
SHIPPED = shipped_profiles()
# A setting that a profile offers in a comment: a key at the start of the line, as it would stand without the mark.
_OFFERED = re.compile(r"^# (\w+: .*)$", flags=re.MULTILINE)


@pytest.fixture
def clusters(tmp_path, monkeypatch):
    """The user's own file, which is not there yet."""
    file = tmp_path / "clusters.yaml"
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(file))
    return file


def test_they_are_the_files_of_one_folder():
    assert {path.name for path in site_folder().iterdir()} == {f"{name}.yaml" for name in SHIPPED}
    assert len(SHIPPED) >= 4


@pytest.mark.usefixtures("clusters")
@pytest.mark.parametrize("name", SHIPPED)
def test_each_loads_as_it_is_written(name):
    written = yaml.safe_load(SHIPPED[name].read_text())
    assert load_profile(name).model_dump(mode="json", exclude_unset=True) == written


@pytest.mark.parametrize("name", SHIPPED)
def test_what_its_comments_offer_is_allowed_too(name, clusters):
    text = SHIPPED[name].read_text()
    offered = yaml.safe_load("\n".join(_OFFERED.findall(text)))
    assert "scratch" in offered
    clusters.write_text(yaml.safe_dump({"mine": {**yaml.safe_load(text), **offered}}))
    assert load_profile("mine").model_dump(mode="json", exclude_unset=True).items() >= offered.items()


@pytest.mark.parametrize("page", ["launch/README.md", "docs/cluster.md"])
def test_the_pages_name_them_all(page):
    text = (ROOT / page).read_text()
    assert not [name for name in SHIPPED if f"`{name}`" not in text]


def test_the_users_own_takes_precedence_whole(clusters):
    clusters.write_text("cpu_mpiexec: {partition: mine}\n")
    assert load_profile("cpu_mpiexec") == SiteProfile(partition="mine")
    assert load_profile("srun_pmix").mpi_plugin == "pmix"


def test_default_is_the_users_alone(clusters):
    assert load_profile(None) == SiteProfile()
    with pytest.raises(ConfigurationError, match="unknown name 'default'"):
        load_profile("default")
    clusters.write_text("default: {partition: mine}\n")
    assert load_profile(None) == load_profile("default") == SiteProfile(partition="mine")


@pytest.mark.parametrize(("asked", "meant"), [("workstaton", "workstation"), ("my-clutser", "my-cluster")])
def test_an_unknown_name_is_told_both_kinds(asked, meant, clusters):
    clusters.write_text("my-cluster: {}\n")
    allowed = ", ".join(sorted([*SHIPPED, "my-cluster"]))
    with pytest.raises(ConfigurationError) as error:
        load_profile(asked)
    assert str(error.value) == (
        f"--profile: in {clusters} or shipped with hpcsnn: unknown name {asked!r}; allowed: {allowed}. "
        f"Did you mean {meant!r}?"
    )


def test_a_broken_file_of_the_users_is_not_passed_over(clusters):
    clusters.write_text("workstation: {")
    with pytest.raises(ConfigurationError, match=f"^{re.escape(str(clusters))}: not YAML: .* \\(line 1\\)$"):
        load_profile("workstation")


@pytest.mark.usefixtures("clusters")
def test_one_is_enough_to_submit_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["submit", "topomap", "--profile", "workstation", "--dry-run", "--cluster", "local"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert re.fullmatch(r"runs/topomap: 1 ranks on 1 nodes, \d+ GB per node\ncluster: local\n", done.stdout)
    assert not (tmp_path / "runs").exists()


def test_all_that_lies_beside_the_package_goes_into_wheel_and_sdist():
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    folders = ("configs", "kernels", "launch")
    assert targets["wheel"]["force-include"] == {folder: f"hpcsnn/{folder}" for folder in folders}
    assert {name.removeprefix("/") for name in targets["sdist"]["include"]} >= {"hpcsnn", *folders}
