"""What a run or a training will load, and which GPUs it is compiled for."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from hpcsnn.cli.app import app
from hpcsnn.codegen.program import generate
from hpcsnn.configuration.files import load_configuration
from hpcsnn.devices import cuda
from hpcsnn.devices.gpus import Gpus
from hpcsnn.errors import ConfigurationError
from hpcsnn.runs.compiling import capabilities_of, programs_of
from hpcsnn.training.configuration import load_training


def wanted(configuration, ranks=None):
    return {one.what: one.program for one in programs_of(configuration, ranks)}


@pytest.mark.parametrize(
    ("ranks", "whats"),
    [(None, ["the run on one rank", "the run on several ranks"]), (1, ["the run on one rank"]),
     (64, ["the run on several ranks"])],
)  # fmt: skip
def test_a_run_has_a_program_for_one_rank_and_one_for_several(ranks, whats):
    configuration = load_configuration("topomap")
    programs = wanted(configuration, ranks)
    assert list(programs) == whats
    for what, program in programs.items():
        n_ranks = 1 if what.endswith("one rank") else 3
        assert program.kernels == generate(configuration.network(), n_ranks).kernels


def test_a_training_has_its_figures_too_and_ranks_that_share_a_network_an_evaluation():
    programs = wanted(load_training("digits"))
    assert list(programs) == ["the training", "its figures"]
    shared = load_training("digits", ["ranks_per_network=2"])
    assert list(wanted(shared)) == ["the training", "its evaluation on one rank", "its figures"]
    assert wanted(shared)["its evaluation on one rank"].kernels == programs["the training"].kernels
    assert list(wanted(shared, 4)) == ["the training", "its figures"]
    with pytest.raises(ConfigurationError, match="ranks_per_network: 2 is not allowed"):
        wanted(shared, 3)


def test_windows_of_samples_are_another_program():
    long, short = (wanted(load_training("digits", [f"window_steps={n}"])) for n in (10_000, 3))
    plain = wanted(load_training("digits"))
    assert long["the training"].kernels == plain["the training"].kernels != short["the training"].kernels


@pytest.mark.parametrize(("text", "capabilities"), [("80", [80]), ("9.0, 80,90", [90, 80]), ("12.0,103", [120, 103])])
def test_compute_capabilities_are_written_with_a_point_or_without(text, capabilities):
    assert capabilities_of(text) == capabilities


@pytest.mark.parametrize("text", ["", "9", "sm_90", "90,", "9.00", "-80", "٩٠", "90;80", "1000"])
def test_other_words_for_them_are_refused(text):
    with pytest.raises(ConfigurationError) as error:
        capabilities_of(text)
    assert str(error.value) == f"--compute-capability: {text!r} is not allowed; must be such as 80, 90 or 8.0,9.0"


def test_where_there_is_no_gpu_they_must_be_given(monkeypatch):
    monkeypatch.setattr("hpcsnn.runs.compiling.find_gpus", lambda: Gpus(none_because="no driver"))
    with pytest.raises(
        ConfigurationError,
        match=r"^--compute-capability: must be given, since there is no GPU to use here \(no driver\): 80 ",
    ):
        capabilities_of(None)
    monkeypatch.setattr("hpcsnn.runs.compiling.find_gpus", lambda: Gpus(("one",)))
    monkeypatch.setattr(cuda, "capability_here", lambda: 90)
    assert capabilities_of(None) == [90]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--device", "auto"], 2, "error: --device: 'auto' is not allowed; must be cpu or gpu\n"),
        (["--compute-capability", "80"], 2, "error: --compute-capability: is not allowed without --device gpu\n"),
        (["--device", "gpu", "--compute-capability", "x"], 2, "--compute-capability: 'x' is not allowed; must be such"),
        (["--data", "here"], 2, "error: --data: is not allowed; topomap is no training, and a run has no data\n"),
        (["--vary", "seed"], 2, "error: --vary 'seed': must be key=values, such as seed=1..10 or scale=1,2,4\n"),
        (["--vary", "sed=1,2"], 2, "error: configuration: unknown name 'sed'; allowed: "),
        ([], 1, "error: no C++ compiler: $CXX is 'none-in-unit-tests', which is not an executable."),
    ],
)  # fmt: skip
def test_what_the_command_refuses(words, code, said):
    done = CliRunner().invoke(app, ["compile", "topomap", *words])
    assert done.exit_code == code
    assert said in done.stderr
