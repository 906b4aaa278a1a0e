"""The container files, which no test can build: whole, pinned, and made of what is there."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "launch" / "containers"
# What a build of the wheel reads.
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TARGET = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
NEEDED = {"pyproject.toml", "LICENSE", PROJECT["project"]["readme"], *TARGET["packages"], *TARGET["force-include"]}
PINNED = re.compile(r"python:\d+\.\d+\.\d+-[\w.-]+")


def instructions(text):
    """(name, words) of every instruction of a Dockerfile, in order."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(line.split()[0], shlex.split(line)[1:]) for line in joined.splitlines()]


def docker_stages():
    """By name of a stage: (what it begins from, its instructions); arguments filled in."""
    stages, arguments = {}, {}
    for name, words in instructions((FOLDER / "Dockerfile").read_text()):
        if name == "ARG":
            arguments |= dict(word.split("=", 1) for word in words)
        elif name == "FROM":
            image, as_, stage = words
            assert as_ == "AS"
            for argument, value in arguments.items():
                image = image.replace(f"${{{argument}}}", value)
            stages[stage] = (image, [])
        else:
            list(stages.values())[-1][1].append((name, words))
    return stages


def definition_stages():
    """By name of a stage: (its header, the text of each section by what follows the %)."""
    text = (FOLDER / "hpcsnn.def").read_text()
    stages = {}
    for part in re.split(r"^(?=Bootstrap:)", text, flags=re.MULTILINE)[1:]:
        header, *sections = re.split(r"^%", part, flags=re.MULTILINE)
        keys = dict(line.split(": ", 1) for line in header.split("\n") if line)
        stages[keys["Stage"]] = (keys, dict(section.split("\n", 1) for section in sections))
    return stages


def files(section):
    """(source, destination) of each line of a %files section."""
    return [tuple(line.split()) for line in section.splitlines() if line.strip()]


def test_dockerfile_builds_one_wheel_for_both_images():
    stages = docker_stages()
    assert list(stages) == ["wheel", "cpu", "gpu"]
    assert stages["wheel"][0] == stages["cpu"][0]
    assert PINNED.fullmatch(stages["cpu"][0])
    assert stages["gpu"][0] == "cpu"
    assert ("COPY", ["--from=wheel", "/wheels", "/wheels"]) in stages["cpu"][1]


def test_dockerfile_copies_what_a_wheel_is_made_of():
    copied = [words[:-1] for name, words in docker_stages()["wheel"][1] if name == "COPY"]
    sources = {source for words in copied for source in words}
    assert sources == NEEDED
    assert not [source for source in sources if not (ROOT / source).exists()]


@pytest.mark.parametrize("image", ["cpu", "gpu"])
def test_dockerfile_ends_as_nobody_special_with_a_place_to_write(image):
    stages = docker_stages()
    steps = [*stages["cpu"][1], *(stages["gpu"][1] if image == "gpu" else [])]
    assert [words for name, words in steps if name == "USER"][-1] == ["hpcsnn"]
    (environment,) = (dict(word.split("=", 1) for word in words) for name, words in steps if name == "ENV")
    runs = [words for name, words in steps if name == "RUN"]
    made = {words[-1] for command in runs for words in _commands(command) if words[:3] == ["install", "-d", "-m"]}
    assert environment["HPCSNN_CACHE"] in made
    assert all(value.startswith(environment["HPCSNN_CACHE"]) for value in environment.values())
    assert ("ENTRYPOINT", ["[hpcsnn]"]) in steps
    installs = [words for words in runs if words[:2] == ["pip", "install"]]
    extras = [re.findall(r"\[(.*)\]", words[-1]) for words in installs]
    assert extras == ([["mpich"], ["mpich,cuda13"]] if image == "gpu" else [["mpich"]])


def _commands(words):
    """The commands that && joins."""
    found = [[]]
    for word in words:
        if word == "&&":
            found.append([])
        else:
            found[-1].append(word)
    return found


def test_definition_builds_the_same():
    stages = definition_stages()
    assert list(stages) == ["wheel", "run"]
    assert {header["From"] for header, _ in stages.values()} == {docker_stages()["cpu"][0]}
    assert {header["Bootstrap"] for header, _ in stages.values()} == {"docker"}
    copied = files(stages["wheel"][1]["files"])
    assert {source for source, _ in copied} == NEEDED
    assert all(to == f"/source/{source}" and (ROOT / source).exists() for source, to in copied)
    assert files(stages["run"][1]["files from wheel"]) == [("/wheels", "/wheels")]


def test_definition_has_what_it_needs_to_run():
    _, sections = definition_stages()["run"]
    assert set(sections) == {"arguments", "files from wheel", "post", "environment", "runscript", "test"}
    given_later = dict(line.strip().split("=", 1) for line in sections["arguments"].splitlines() if line.strip())
    used = set(re.findall(r"{{ (\w+) }}", "".join(sections.values())))
    assert used == set(given_later) == {"EXTRAS"}
    assert re.search(r'^ +export HPCSNN_CACHE="\$\{HPCSNN_CACHE:-\$HOME/', sections["environment"], flags=re.MULTILINE)
    assert sections["runscript"].strip() == 'exec hpcsnn "$@"'
    extras = PROJECT["project"]["optional-dependencies"]
    asked = re.findall(r"EXTRAS=(\S+)", (FOLDER / "hpcsnn.def").read_text())
    assert len(asked) == 2  # for GPUs, and by itself
    assert {extra for each in asked for extra in each.split(",")} <= set(extras)
