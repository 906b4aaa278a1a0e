"""Names from outside stay names: in a batch script, as an argument of scancel, on a report's page."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from hpcsnn.cli.app import app
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.jobs.executors import sbatch_script
from hpcsnn.jobs.job_files import JobFiles, State, Status
from hpcsnn.planning.request import Request
from hpcsnn.planning.site_profiles import SiteProfile, load_profile
from support.job_files import a_run

REQUEST = Request(1, 2, 0, 4, 60.0, 60)
# What a shell would carry out, if a name came to it as more than a name.
QUOTED = [
    "$(touch trap)",
    "`touch trap`",
    "x; touch trap",
    "x' ; touch trap '",
    'x"; touch trap; "',
    "--wrap=touch trap",
]
CUT = ["x\ntouch trap #", "x\r\ntouch trap", "x\x0btouch trap", "x\u2028touch trap", "x\x1b]0;touch trap\x07"]
ONE_LINE = "must be printable characters on one line: it becomes a line of a batch script"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder whose commands stand in for Slurm's, each noting how it was called; the file of scancel's notes."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name in ("sbatch", "srun", "scancel", "squeue"):
        (folder / name).write_text(f'#!/bin/sh\necho "$@" >> "{folder}/{name}.log"\n')
        (folder / name).chmod(0o755)
    (folder / "squeue").write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(tmp_path / "clusters.yaml"))
    return folder / "scancel.log"


def carried_out(script, folder):
    """Run a script in a folder of its own; what is there afterwards."""
    folder.mkdir()
    subprocess.run(["bash", "-c", script], cwd=folder, check=True, capture_output=True)
    return [path.name for path in folder.iterdir()]


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("name", [*QUOTED, *CUT])
def test_a_jobs_name_is_no_command(name, tmp_path):
    script = sbatch_script(REQUEST, SiteProfile(), tmp_path / "logs", name)
    assert carried_out(script, tmp_path / "here") == []


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("name", QUOTED)
def test_what_one_line_can_hold_is_quoted(name, tmp_path):
    profile = SiteProfile(
        partition=name, account=name, qos=name, constraint=name, modules=[name], sbatch={"comment": name},
    )  # fmt: skip
    script = sbatch_script(REQUEST, profile, tmp_path / name / "logs", "name")
    assert carried_out(f"module() {{ :; }}\n{script}", tmp_path / "here") == []


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("name", CUT)
def test_a_run_directory_that_no_line_can_hold_is_refused(name, tmp_path):
    done = CliRunner().invoke(app, ["submit", "topomap", "--out", str(tmp_path / name), "--cluster", "slurm"])
    assert done.exit_code == 2, done.output
    assert f"--out: {str((tmp_path / name / 'job' / 'logs').resolve())!r} is not allowed; {ONE_LINE}" in done.stderr
    assert not (tmp_path / name).exists()
    with pytest.raises(ConfigurationError, match=r"^--out: "):
        sbatch_script(REQUEST, SiteProfile(), tmp_path / name, "name")


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("flag", ["--partition", "--account"])
def test_a_flag_that_no_line_can_hold_is_refused(flag, name, tmp_path):
    done = CliRunner().invoke(app, ["submit", "topomap", "--out", str(tmp_path / "run"), "--dry-run", flag, name])
    assert done.exit_code == 2, done.output
    assert f"{flag}: {name!r} is not allowed; {ONE_LINE}" in done.stderr


@pytest.mark.parametrize("key", ["partition", "account", "qos", "constraint", "mpi_plugin"])
def test_a_profile_holds_no_line_ends(key, tmp_path, monkeypatch):
    file = tmp_path / "clusters.yaml"
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(file))
    file.write_text(json.dumps({"big": {key: CUT[0]}}))
    with pytest.raises(ConfigurationError) as error:
        load_profile("big")
    assert f"big.{key}: {CUT[0]!r} is not allowed; {ONE_LINE}" in str(error.value)


@pytest.mark.parametrize("option", ["x\ntouch trap #", "x=1\n", "-x", "x y", "", "x;y", "\u043a"])
def test_an_option_of_sbatch_is_a_name(option):
    with pytest.raises(ValidationError, match=r"(?s)sbatch\..*should match pattern"):
        SiteProfile(sbatch={option: "1"})


def test_the_value_of_an_option_stays_on_its_line():
    with pytest.raises(ValidationError, match="must be printable characters on one line"):
        SiteProfile(sbatch={"comment": CUT[0]})
    kept = {"mail-user": "me@there", "exclusive": True, "nice": 5}
    assert SiteProfile(sbatch=kept).sbatch == kept


@pytest.mark.parametrize("job_id", ["--me", "-u root", "1 2", "1,2", "0", "12_", "12_3_4", "1\n", "../../x", "\uff11"])
def test_scancel_is_told_the_number_of_a_job_or_nothing(job_id, slurm, tmp_path):
    run = a_run(tmp_path / "run", Status(State.QUEUED))
    plan = json.loads(JobFiles(run).plan_file.read_text()) | {"cluster": "slurm", "job_id": job_id}
    JobFiles(run).plan_file.write_text(json.dumps(plan))
    done = CliRunner().invoke(app, ["cancel", str(run)])
    assert done.exit_code == 2
    assert f"job_id: {job_id!r} is not allowed; must be a job's number, such as 123 or 123_4" in done.stderr
    assert not slurm.exists()


@pytest.mark.parametrize("job_id", ["12", "12_0", "120_34"])
def test_scancel_is_told_the_number(job_id, slurm, tmp_path):
    run = a_run(tmp_path / "run", Status(State.QUEUED))
    plan = json.loads(JobFiles(run).plan_file.read_text()) | {"cluster": "slurm", "job_id": job_id}
    JobFiles(run).plan_file.write_text(json.dumps(plan))
    assert CliRunner().invoke(app, ["cancel", str(run)]).exit_code == 0
    assert slurm.read_text() == f"{job_id}\n"


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [("ranks", "2", "int"), ("nodes", True, "int"), ("logs", 1, "str"), ("time_min", "1", "float")],
)
def test_a_plan_of_another_type_names_the_field(key, value, kind, tmp_path):
    files = JobFiles(a_run(tmp_path / "run", Status(State.QUEUED)))
    files.plan_file.write_text(json.dumps(json.loads(files.plan_file.read_text()) | {key: value}))
    with pytest.raises(
        StorageError, match=rf"plan\.json: cannot be read: {key}: {value!r} is not allowed; must be a {kind}"
    ):
        files.plan()
