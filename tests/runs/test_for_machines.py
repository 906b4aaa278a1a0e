"""What programs are told by ``--json``: one document on standard output, with the facts that the tables show."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hpcsnn.cli.app import app
from hpcsnn.cli.common import EXIT_CODES, FAILED, REFUSED, say_json
from hpcsnn.storage.checkpoints import committed
from support.runs import PLAIN

RUN = "RUN"
COMMANDS = [
    ("check", "topomap", "--ranks", "2"),
    ("check", "digits"),
    ("configs",),
    ("rules",),
    ("rules", "show", "bamford"),
    ("jobs", RUN),
    ("watch", RUN),
    ("info", RUN),
    ("digest", RUN),
    ("verify", RUN),
    ("diff", RUN, RUN),
]


def called(*arguments, run=None):
    """``hpcsnn ARGUMENTS`` in this process, with the place of `run` in them."""
    return CliRunner().invoke(app, [str(run) if word == RUN else word for word in arguments], env={"COLUMNS": "300"})


def facts(*arguments, run=None, code=0):
    """What a command prints by ``--json``, which is all that it prints."""
    done = called(*arguments, "--json", run=run)
    assert (done.exit_code, done.stderr if code == 0 else "") == (code, ""), done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_facts_are_one_document_with_what_is_shown(arguments, theirs):
    told = facts(*arguments, run=theirs)
    shown = called(*arguments, run=theirs).stdout
    name = " ".join(arguments[:2])
    if arguments[0] == "check":
        for projection, of in told["projections"].items():
            line = next(line.split() for line in shown.splitlines() if line.startswith(f"{projection} "))
            assert line[:4] == [projection, of["source"], of["target"], f"{of['synapses']:,.0f}"]
        assert set(told["populations"]) <= set(shown.split())
    elif name == "rules":
        assert {f"{model['name']} " for model in told} <= {line.split()[0] + " " for line in shown.splitlines()}
    elif name == "rules show":
        (model,) = told
        assert model["parameters"]["p_max"]["default"] is None
        assert model["snippets"]["eliminate"].splitlines()[0] in shown
    elif name == "configs":
        assert {*told["run"], *told["train"]} <= set(shown.split())
    elif arguments[0] == "jobs":
        assert [entry["state"] for entry in told] == ["completed"]
        assert told == [facts("watch", RUN, run=theirs)]
    elif arguments[0] == "watch":
        assert told["state"] in shown
    elif arguments[0] == "info":
        assert [checkpoint["step"] for checkpoint in told["checkpoints"]] == [200, 400, 500]
        assert told["digest"] == facts("digest", RUN, run=theirs)[0]["digest"]
        assert "completed at 0.05 s" in shown
    elif arguments[0] == "digest":
        assert shown == f"{told[0]['digest']}  {told[0]['run']}\n"
    elif arguments[0] == "verify":
        assert (told["whole"], told["said"]) == (True, shown.splitlines())
    else:
        assert (told["equal"], told["differences"], f"equal {told['state']}\n") == (True, [], shown)


def test_files_that_are_drawn_or_analysed_are_named(copy):
    told = facts("plot", RUN, "--format", "svg", run=copy)
    assert told["run"] == str(copy)
    assert len(told["figures"]) > 2
    assert {Path(path).suffix for path in told["figures"]} == {".svg"}
    assert all(Path(path).is_file() for path in told["figures"])
    told = json.loads(called("analyze", RUN, "--json", run=copy).stdout)  # what it does is on standard error
    assert told == {"run": str(copy), "report": f"{copy}/report.html", "analysis": f"{copy}/analysis.zarr"}
    assert Path(told["report"]).is_file()
    assert Path(told["analysis"]).is_dir()


def test_what_is_not_well_is_in_the_document_and_in_the_exit_code(theirs, copy):
    network = committed(copy)[0].network_path
    network.write_bytes(network.read_bytes()[:-1])
    told = facts("verify", RUN, run=copy, code=REFUSED)
    assert not told["whole"]
    assert any(line.startswith("step 200: ") and "files as written" not in line for line in told["said"])
    document = json.loads(called("diff", str(theirs), str(copy), "--json").stdout)
    assert document["equal"], "the newest state is whole"
    done = called("digest", RUN, "--json", run=copy / "records")
    assert (done.exit_code, done.stdout) == (REFUSED, "")
    assert "no run" in done.stderr


def test_numbers_that_are_none_are_null_and_what_a_terminal_would_carry_out_is_escaped(capsys):
    say_json({"a": [float("nan"), float("inf"), 1.5], "\x1b[2J": "\u202e"})
    said = capsys.readouterr().out
    assert json.loads(said) == {"a": [None, None, 1.5], "\x1b[2J": "\u202e"}
    assert said.isascii()
    assert "\x1b" not in said


def test_help_says_what_exit_codes_mean():
    said = " ".join(called("--help").stdout.split())
    for words in EXIT_CODES.replace("`", "").split(" · "):
        assert words in said
    assert str(FAILED) in EXIT_CODES


@pytest.fixture(scope="module")
def longer(theirs, hpcsnn, tmp_path_factory):
    """That run, with half a line of progress, gone on with to 250 ms."""
    longer = tmp_path_factory.mktemp("longer") / "run"
    shutil.copytree(theirs, longer, symlinks=True)
    with (longer / "progress.jsonl").open("a") as stream:
        stream.write('{"phase": "hal')
    assert hpcsnn("resume", longer, "--until", "250ms", *PLAIN).code == 0
    return longer


def test_two_runs_are_compared_by_numbers_settings_and_a_figure(theirs, longer):
    told = CliRunner().invoke(app, ["compare", str(longer), str(theirs), "--json", "--no-figures"])
    found = json.loads(told.stdout)
    assert found["configuration"] == {"duration_ms": {"A": 250.0, "B": 50.0}}
    assert found["numbers"]["steps"] == {"A": 2500, "B": 500, "difference": -2000}
    assert found["figure"] is None
    shown = CliRunner().invoke(app, ["compare", str(longer), str(longer), "--format", "svg"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0, shown.stderr
    *lines, figure = shown.stdout.splitlines()
    assert figure == str(longer / "figures" / "beside_run.svg")
    assert all(len(line) <= 80 for line in lines if "/" not in line)
    assert "source (Hz)" in (longer / "figures" / "beside_run.svg").read_text()


def test_lines_of_progress_go_on_in_a_run_that_does(theirs, longer):
    before = (theirs / "progress.jsonl").read_text().splitlines()
    lines = longer / "progress.jsonl"
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [json.dumps(line) for line in told[: len(before)]] == before
    for part in (told[: len(before)], told[len(before) :]):
        phases = [line["phase"] for line in part]
        assert phases[-1] == "completed"
        assert phases.index("simulating") < phases.index("writing the last checkpoint")
        for line in part:
            assert (line["phase"] == "simulating") == ("model_s" in line), "positions are those of a run that goes on"
            assert not line.keys() & {"model_s"} or {"speed", "left_s", "synapses", "rates_hz"} <= line.keys()
    assert "reading the checkpoint" in [line["phase"] for line in told[len(before) :]]
    assert [line["model_s"] for line in told if "model_s" in line][-1] == 0.25


def test_quiet_prints_warnings_alone_and_verbose_logs_what_is_done(hpcsnn, tmp_path):
    short = ["run", "topomap", "--set", "duration_ms=20", *PLAIN]
    full = ["--set", "projections.ff.capacity=4", "--set", "projections.ff.rows_grow=false"]
    quiet = hpcsnn("--quiet", *short, *full, "--out", tmp_path / "quiet")
    (line,) = quiet.said.splitlines()
    assert line.startswith("warning: projections.ff: ")
    verbose = hpcsnn("-v", *short, "--out", tmp_path / "verbose").said.splitlines()
    assert "hpcsnn.phases: writing the last checkpoint" in verbose
    newest = tmp_path / "verbose" / "checkpoints" / "0000000200.json"
    assert f"hpcsnn.runs.checkpointing: checkpoint of step 200: {newest}" in verbose
    assert not any(" took " in line for line in verbose)
    summary = json.loads(hpcsnn("-q", *short, "--json", "--out", tmp_path / "json").said)
    assert summary == json.loads((tmp_path / "json" / "summary.json").read_text())
    both = called("-q", "-v", "configs")
    assert (both.exit_code, "--quiet: is not allowed with --verbose" in both.stderr) == (REFUSED, True)
