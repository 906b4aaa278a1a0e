"""What stands beside the code for those who come to it: licence, citation, changelog, hooks, how to contribute."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import hpcsnn

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["message"]
    assert citation["title"] == "hpcsnn: " + PROJECT["description"].replace("A ", "a ", 1)
    assert citation["authors"] == PROJECT["authors"]
    assert citation["license"] == PROJECT["license"]
    assert citation["keywords"] == PROJECT["keywords"]
    assert citation["version"] == hpcsnn.__version__
    dated = rf"^## \[{re.escape(hpcsnn.__version__)}\] - {citation['date-released']}$"
    assert re.search(dated, (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)


def test_the_licence_is_the_authors():
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("BSD 3-Clause License\n")
    (author,) = PROJECT["authors"]
    assert f"Copyright (c) 2026, {author['name']}\n" in text
    assert len(re.findall(r"^\d\. ", text, flags=re.MULTILINE)) == 3


def test_the_changelog_begins_with_what_is_not_released_and_goes_back_in_time():
    heads = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert heads[0] == ("Unreleased", "")
    dates = [date for _, date in heads[1:]]
    assert dates == sorted(dates, reverse=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", date) for date in dates)


def test_hooks_fetch_nothing():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    tools = {hook["entry"].split()[2] for hook in hooks}
    assert tools == {"ruff", "mypy", "pytest"}
    needed = {re.match(r"[\w-]+", one)[0] for one in PROJECT["optional-dependencies"]["test"]}
    assert tools <= needed


@pytest.mark.parametrize("page", PAGES)
def test_links_and_files_lead_somewhere(page):
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    files = re.findall(r"`((?:hpcsnn|kernels|configs|scaling|tests|docs|examples|launch)/[\w./]+)`", text)
    assert links or files
    assert not [name for name in (*links, *files) if not (ROOT / name).exists()]


def test_contributors_changes_are_tested_on_each_version_of_python_and_with_the_oldest_of_all_else():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    versions = [name.rpartition(" :: ")[2] for name in PROJECT["classifiers"] if ":: Python :: 3." in name]
    assert jobs["quick"]["strategy"]["matrix"]["python"] == versions
    assert versions[0] == PROJECT["requires-python"].removeprefix(">=")
    commands = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert commands["all"][-1].endswith(" .ci/run")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert any("--resolution lowest-direct -e '.[test]'" in command for command in commands["lowest"])
    recipes = (ROOT / "justfile").read_text()
    assert "mkdocs build --strict" in commands["docs"][-1] and "mkdocs serve --strict" in recipes


def test_every_dependency_says_since_when_and_private_names_until_when():
    wanted = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    assert all(re.search(r">=\d", one) for one in wanted if not one.startswith("types-"))
    (submitit,) = (one for one in PROJECT["dependencies"] if one.startswith("submitit"))
    assert "<" in submitit, "hpcsnn goes by names that submitit does not promise"
