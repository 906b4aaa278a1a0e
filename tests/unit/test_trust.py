"""Whose Python a run directory may have executed: that of runs which this user began, or has said to trust."""

from __future__ import annotations

import hashlib
import os
import stat

import pytest

from hpcsnn.configuration.files import load_configuration
from hpcsnn.configuration.trust import check_named, of_a_run, remember
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.user_files import read_user_file

TEXT = "import hpcsnn.models\n"
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.fixture
def record(tmp_path, monkeypatch):
    """The file of what is trusted, not there yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "hpcsnn" / "trusted"


@pytest.fixture
def theirs(tmp_path):
    """A run directory that names a file of theirs."""
    folder = tmp_path / "run"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "rule.py").write_text(TEXT)
    return folder


def raw(name="models/rule.py:Rule"):
    return {"populations": {}, "projections": {"p": {"rewiring": {name: None}}}, "description": "other.py:Rule"}


def is_trusted(theirs, trust=False, **changes):
    try:
        check_named(theirs / "config.yaml", raw(**changes), theirs, trust)
    except ConfigurationError as error:
        assert f"{theirs / 'models' / 'rule.py'} (of user " in str(error)
        assert f"SHA-256 {DIGEST})" in str(error)
        assert str(error).endswith("Read it, and give --trust if it may run")
        return False
    return True


@pytest.mark.parametrize("name", ["models/rule.py:Rule", "./models/../models/rule.py:Other"])
def test_a_file_is_asked_about_until_it_is_trusted(name, theirs, record):
    assert not is_trusted(theirs, name=name)
    assert not record.exists()
    assert is_trusted(theirs, trust=True, name=name)
    assert is_trusted(theirs, name=name)
    (theirs / "models" / "rule.py").write_text(TEXT + "# changed")
    with pytest.raises(ConfigurationError, match="give --trust"):
        check_named(theirs / "config.yaml", raw(), theirs, False)


@pytest.mark.usefixtures("record")
def test_what_names_no_file_needs_no_trust(theirs):
    check_named(theirs / "config.yaml", {"populations": {"a": {"model": "lif"}}}, theirs, False)
    check_named(theirs / "config.yaml", {}, theirs, False)
    check_named(theirs / "config.yaml", raw("gone.py:Rule"), theirs, False)  # whoever loads it says that it is gone


def test_the_record_is_this_users_alone(theirs, record):
    before = os.umask(0)
    try:
        assert is_trusted(theirs, trust=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700
    assert record.read_text() == f"{DIGEST}  {str(theirs / 'models' / 'rule.py')!a}\n"
    remember([read_user_file(theirs / "models" / "rule.py")])
    assert len(record.read_text().splitlines()) == 1, "a line for each text"


def test_what_others_can_write_counts_for_nothing(theirs, record):
    assert is_trusted(theirs, trust=True)
    record.chmod(0o666)
    assert not is_trusted(theirs)
    moved = record.with_name("moved")
    record.chmod(0o600)
    record.rename(moved)
    record.symlink_to(moved)
    assert not is_trusted(theirs), "nor does a link"
    record.unlink()
    record.write_text("what others wrote\n")
    record.chmod(0o666)
    assert is_trusted(theirs, trust=True)
    assert is_trusted(theirs)
    assert record.read_text().startswith(DIGEST)


def test_where_no_record_can_be_kept_later_commands_ask(theirs, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert is_trusted(theirs, trust=True)
    assert not is_trusted(theirs)


@pytest.mark.parametrize(
    ("beside", "name", "is_one"),
    [
        (None, "config.yaml", False),
        ("my_rule.py", "config.yaml", False),
        ("models/my_rule.py", "config.yaml", False),
        ("models/my_rule@1a2b3c4d.py", "config.yaml", True),
        (".lock", "config.yaml", True),
        ("summary.json", "config.yaml", True),
        ("summary.json", "mine.yaml", False),
        ("job/plan.json", "job/config.yaml", True),
        (None, "job/config.yaml", False),
    ],
)
def test_a_configuration_is_a_runs_by_what_stands_beside_it(beside, name, is_one, tmp_path, monkeypatch):
    for file in filter(None, (beside, name)):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert of_a_run(tmp_path / name) == is_one
    monkeypatch.chdir(tmp_path)
    assert of_a_run((tmp_path / name).relative_to(tmp_path)) == is_one


@pytest.mark.usefixtures("record")
def test_a_runs_configuration_is_not_executed_unasked_and_ones_own_is(tmp_path):
    (tmp_path / "told.py").write_text("raise RuntimeError('executed')\n")
    mine = tmp_path / "config.yaml"
    mine.write_text("extends: topomap\nprojections: {ff: {rewiring: told.py:Told}}\n")
    with pytest.raises(ConfigurationError, match="RuntimeError: executed"):
        load_configuration(mine)
    with pytest.raises(ConfigurationError, match="names Python that would be executed"):
        load_configuration(mine, of_run=True)
    (tmp_path / ".lock").touch()
    with pytest.raises(ConfigurationError, match="names Python that would be executed"):
        load_configuration(mine)
    with pytest.raises(ConfigurationError, match="RuntimeError: executed"):
        load_configuration(mine, trust=True)
