"""`hpcsnn.open_run` refuses what is no run directory; tests/runs/test_open_run.py has what it reads of one."""

from __future__ import annotations

import pytest

from hpcsnn import ConfigurationError, StorageError, open_run
from support.messages import as_pattern


@pytest.mark.parametrize("path", [3, None, ["runs/topomap"]])
def test_what_is_no_path_is_refused(path):
    message = f"path: {path!r} is not allowed; must be the path of a run directory"
    with pytest.raises(ConfigurationError, match=f"^{as_pattern(message)}$"):
        open_run(path)


@pytest.mark.parametrize("what", ["nothing", "a folder", "a file"])
def test_what_is_no_run_is_refused_and_what_would_be_one_is_said(what, tmp_path):
    path = tmp_path / "here"
    if what == "a folder":
        path.mkdir()
    elif what == "a file":
        path.write_text("notes")
    for given in (path, str(path)):
        with pytest.raises(StorageError) as error:
            open_run(given)
        said = "no run here (there is no config.yaml); must be a directory that hpcsnn run has made"
        assert str(error.value) == f"{path}: {said}"


def test_a_training_says_how_to_make_a_run_of_it(tmp_path):
    (tmp_path / "config.yaml").write_text("data: {digits: {}}\n")
    with pytest.raises(ConfigurationError) as error:
        open_run(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: is a training, of which nothing is recorded over time; must be a directory that hpcsnn run has "
        f"made: hpcsnn run --from {tmp_path} makes one of the trained network"
    )


def test_a_run_that_has_not_begun_has_a_configuration_and_no_times(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 3\npopulations: {}\n")
    run = open_run(tmp_path)
    assert (run.configuration, run.times_ms) == ({"seed": 3, "populations": {}}, [])
    (tmp_path / "config.yaml").write_text("- 3\n")
    message = f"{tmp_path / 'config.yaml'}: must be a mapping of keys to values, is list"
    with pytest.raises(ConfigurationError, match=f"^{as_pattern(message)}$"):
        _ = run.configuration
