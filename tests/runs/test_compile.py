"""``hpcsnn compile`` fills the cache, and what it has put there serves runs and trainings that have no compiler."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.ranks import hpcsnn
from support.runs import PLAIN, digest_of_run, succeeds

LINE = re.compile(r"^([\w ,.]+): (there already|compiled in \d+\.\d s): (/.*)$")
RUN = ["topomap", "--set", "duration_ms=50"]
TRAINING = ["digits", "--set", "epochs=1", "--set", "data.digits.train_samples=150"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def compiled(*arguments):
    """What the command says of each file: (what for, whether it was there already); the files are there."""
    said = [LINE.fullmatch(line).groups() for line in succeeds("compile", *arguments).stdout.splitlines()]
    assert all(Path(path).is_file() for _, _, path in said)
    return [(what, how == "there already") for what, how, _ in said]


def test_a_run_without_a_compiler_finds_what_was_compiled(cache, tmp_path, monkeypatch):
    assert compiled("topomap") == [("the run on one rank", False), ("the run on several ranks", False)]
    assert compiled("topomap", "--ranks", 7) == [("the run on several ranks", True)]
    runs = tmp_path / "runs"
    succeeds("run", *RUN, *PLAIN, "--out", runs / "compiled")
    monkeypatch.setenv("CXX", "no-such-compiler")
    for ranks in (1, 2):
        succeeds("run", *RUN, *PLAIN, "--out", runs / str(ranks), ranks=ranks)
        assert digest_of_run(runs / str(ranks)) == digest_of_run(runs / "compiled")
    monkeypatch.setenv("HPCSNN_CACHE", str(cache / "other"))
    done = hpcsnn("run", *RUN, *PLAIN, "--out", runs / "other")
    assert done.returncode == 1
    assert re.fullmatch(r"error: no C\+\+ compiler: .*apt-get install g\+\+.*`hpcsnn compile CONFIG`.*\n", done.stderr)
    assert not (runs / "other").exists()


def test_templates_are_kept_and_made_again_where_they_are_not_what_they_were(cache):
    succeeds("compile", "topomap", "--ranks", 1)
    kept = {path: path.read_bytes() for path in cache.rglob("*.template")}
    assert len(kept) > 5
    for number, path in enumerate(kept):
        if number % 2:
            path.write_bytes(kept[path][:-7])
        else:
            path.unlink()
    assert compiled("topomap", "--ranks", 1) == [("the run on one rank", True)], "they give the same kernels"
    again = {path: path.read_bytes() for path in cache.rglob("*.template")}
    assert again.keys() == kept.keys()
    assert not any(again[path] == whole[:-7] for path, whole in kept.items())


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("setting", ["carry_state=true", "ranks_per_network=2"])
def test_a_training_without_a_compiler_does_all_it_does_with_one(setting, tmp_path, monkeypatch):
    """It trains, tests, draws its rasters, and is evaluated again, by as many ranks or by one."""
    words, ranks = [*TRAINING, "--set", setting], 2 if "ranks" in setting else 1
    compiled("digits", "--set", setting)
    monkeypatch.setenv("CXX", "no-such-compiler")
    run = tmp_path / "run"
    succeeds("train", *words, "--device", "cpu", "--out", run, ranks=ranks)
    assert (run / "figures" / "rasters.png").is_file()
    succeeds("evaluate", run, "--device", "cpu")


@pytest.mark.usefixtures("cache")
def test_what_varies_is_compiled_once_for_all_that_is_alike():
    assert compiled("topomap", "--vary", "seed=1..3", "--vary", "scale=1,2", "--ranks", 1) == [
        ("the run on one rank", False)
    ]
    varied = ["--vary", "projections.ff.synapse=additive_stdp,static", "--ranks", 1]
    assert compiled("topomap", *varied) == [("the run on one rank", True), ("the run on one rank", False)]


@pytest.mark.usefixtures("cache")
def test_kernels_for_gpus_are_compiled_without_one():
    pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="needs cupy-cuda13x and nvidia-cuda-nvrtc (extra gpu)")
    words = ["topomap", "--device", "gpu", "--ranks", 1, "--compute-capability"]
    of = "the run on one rank, GPUs of compute capability"
    assert compiled(*words, "80,9.0") == [(f"{of} 8.0", False), (f"{of} 9.0", False)]
    assert compiled(*words, "90") == [(f"{of} 9.0", True)]
    done = hpcsnn("compile", *words, "20")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: GPUs of compute capability 20 are not compiled for: NVRTC here knows those of "
    )
