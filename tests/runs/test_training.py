"""Trainings as users type them, on scikit-learn's digits: one answer on any ranks, stopped or not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess

import numpy as np
import pytest
from rich.console import Console

from hpcsnn import Simulation, open_run
from hpcsnn.configuration.files import load_configuration
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.network.learning_fields import played_bytes
from hpcsnn.planning.memory import estimate, shown_bytes
from hpcsnn.runs.stored.kinds import compared, stored_run
from hpcsnn.runs.stored.training import StoredTraining
from hpcsnn.runs.training_metrics import read_metrics
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.training_checkpoints import TrainingCheckpoints
from hpcsnn.training.configuration import load_training
from hpcsnn.training.data.registry import find_data_set
from hpcsnn.training.rasters import raster_of
from support.processes import outcome, until
from support.ranks import hpcsnn, hpcsnn_command, run_processes
from support.runs import digest_of_run, succeeds

SHORT = ["--set", "epochs=2", "--set", "data.digits.train_samples=400", "--device", "cpu", "--no-figures"]


def summary_of(run):
    return json.loads((run / "summary.json").read_text())


def without_clocks(run):
    return [{**line, "samples_per_s": None} for line in read_metrics(run / "metrics.jsonl")]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A training of two epochs on one rank."""
    run = tmp_path_factory.mktemp("trainings") / "straight"
    return run, succeeds("train", "digits", *SHORT, "--out", run)


def test_a_training_says_what_it_does_and_what_it_came_to(straight):
    run, done = straight
    summary = summary_of(run)
    assert "360 samples to train on, 40 to validate by, 359 to test by" in done.stdout
    assert re.search(r"epoch 2 of 2, batch 12 of 12  loss \d", done.stdout)
    assert f"digest {summary['digest'][:16]}" in done.stdout
    assert f"test accuracy {summary['test_accuracy']:.2%}" in done.stdout
    assert summary["synapses"]["input_to_hidden"] == summary["projections"]["input_to_hidden"]["synapses"] > 1000
    assert summary["rewired"]["input_to_hidden"] > 0
    assert summary["rewired"]["hidden_to_output"] == 0
    counts = {line["synapses"]["input_to_hidden"] for line in read_metrics(run / "metrics.jsonl")}
    assert counts == {summary["synapses"]["input_to_hidden"]}, "DEEP R keeps their number"


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_a_batch_and_come_to_the_same(straight, ranks, tmp_path):
    run, _ = straight
    succeeds("train", "digits", *SHORT, "--out", tmp_path / "run", ranks=ranks)
    assert digest_of_run(tmp_path / "run") == digest_of_run(run)
    assert without_clocks(tmp_path / "run") == without_clocks(run)
    assert summary_of(tmp_path / "run")["test_accuracy"] == summary_of(run)["test_accuracy"]


@pytest.mark.parametrize(
    ("number", "ranks", "then", "more"),
    [(signal.SIGTERM, 1, 2, []), (signal.SIGUSR1, 2, 1, ["--set", "carry_state=true"])],
)
def test_a_signal_stops_it_and_it_goes_on_from_there_on_other_ranks(number, ranks, then, more, tmp_path):
    run = tmp_path / "cut"
    longer = ["--set", "epochs=200"]
    command = hpcsnn_command("train", "digits", *SHORT, *more, *longer, "--out", run, ranks=ranks)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            until(lambda: (run / "metrics.jsonl").is_file() and len(read_metrics(run / "metrics.jsonl")) > 15)
            for pid in run_processes(process.pid)[:1]:
                os.kill(pid, number)
            said, _ = outcome(process)
        finally:
            process.kill()
    assert process.returncode == 0, said
    stopped = summary_of(run)
    assert (stopped["completed"], stopped["stopped_by"]) == (False, number.name)
    assert "go on with: hpcsnn resume" in said
    epochs = stopped["epochs"] + 1
    again = succeeds("resume", run, "--epochs", epochs, "--device", "cpu", "--no-figures", ranks=then)
    assert f"from epoch {epochs}, batch" in again.stdout
    succeeds("train", "digits", *SHORT, *more, "--set", f"epochs={epochs}", "--out", tmp_path / "straight")
    assert digest_of_run(run) == digest_of_run(tmp_path / "straight")
    assert without_clocks(run) == without_clocks(tmp_path / "straight")


def test_what_is_stored_is_evaluated_again(straight):
    run, _ = straight
    summary = summary_of(run)
    last = succeeds("evaluate", run, "--checkpoint", "last", "--device", "cpu")
    assert f"accuracy {summary['test_accuracy']:.2%} of 359 test samples" in last.stdout
    assert summary["digest"][:16] in last.stdout
    best = succeeds("evaluate", run, "--device", "cpu")
    assert f"after {TrainingCheckpoints(run).read('best').position['in_all']['batches']} batches" in best.stdout
    wrong = hpcsnn("evaluate", run, "--checkpoint", "first")
    assert wrong.returncode == 2
    assert wrong.stderr == "error: --checkpoint: 'first' is not allowed; must be best or last\n"


def test_info_check_and_resume_know_a_training(straight):
    run, _ = straight
    assert f"{run}: a training, completed, 2 epochs, test accuracy" in succeeds("info", run).stdout
    assert "nothing to do" in succeeds("resume", run).stdout
    said = succeeds("check", "digits", "--set", "connectivity=0.1").stdout
    assert re.search(r"input_to_hidden +input +hidden +819 +0\.1 +deep_r_by_gradient", said)
    for options, message in (
        (["--until", "3s"], f"--until: is not allowed; {run} is a training: its end is --epochs"),
        (["--epochs", "1"], "epochs: 1 is not allowed; 2 are done: give at least as many"),
    ):
        wrong = hpcsnn("resume", run, *options)
        assert (wrong.returncode, wrong.stderr) == (2, f"error: {message}\n")
    wrong = hpcsnn("run", "digits")
    assert (wrong.returncode, wrong.stderr) == (
        2, "error: digits: describes a training; hpcsnn run takes none: use hpcsnn train\n"
    )  # fmt: skip


def test_check_says_what_a_training_takes():
    """The same whatever the batch; what is not known without reading the files is said."""
    known, large = (
        succeeds("check", "shd", "--set", "data.shd.duration_ms=1000", "--set", f"batch={batch}").stdout
        for batch in (2, 512)
    )
    network = load_training("shd", ["data.shd.duration_ms=1000"]).planned_network()
    size = estimate(network, 8, 0, 1)
    total = shown_bytes(size.n_bytes + played_bytes(network, 512))
    assert "samples of 1,000 steps" in large
    kept = re.escape(shown_bytes(size.learning))
    assert re.search(rf"what training keeps of one sample, and gradients +{kept}", large)
    assert f"memory does not grow with the batch; about {total} of arrays on each, {total} in all" in large
    tables = [said.partition("memory of a rank")[2].splitlines()[:5] for said in (known, large)]
    assert tables[0] == tables[1]
    windows = succeeds("check", "shd", "--set", "data.shd.duration_ms=1000", "--set", "window_steps=50").stdout
    in_windows = estimate(
        load_training("shd", ["data.shd.duration_ms=1000", "window_steps=50"]).planned_network(), 8, 0, 1
    )
    assert in_windows.learning < size.learning / 3
    kept = re.escape(shown_bytes(in_windows.learning))
    assert re.search(rf"what training keeps in windows of 50 steps, and gradients +{kept}", windows)
    unknown = succeeds("check", "shd", "--ranks", 2).stdout
    assert "samples as long as its files say" in unknown
    assert re.search(r"2 ranks with 256 samples .* of arrays on each, planned for 2,000 steps, ", unknown)


def test_check_says_what_each_of_the_ranks_takes_that_share_a_network():
    overrides = ["data.shd.duration_ms=1000", "ranks_per_network=2", "connectivity=0.5"]
    said = succeeds("check", "shd", *(f"--set={one}" for one in overrides), "--ranks", 4).stdout
    network = load_training("shd", overrides).planned_network()
    sizes = [estimate(network, 4, rank, 2) for rank in range(2)]
    fullest = max(sizes, key=lambda size: size.n_bytes)
    assert "memory of the fullest of 2 ranks that share a network" in said
    assert re.search(rf"with what the optimiser keeps +{re.escape(shown_bytes(fullest.wiring))}", said)
    in_all = shown_bytes(2 * sum(size.n_bytes for size in sizes) + 4 * played_bytes(network, 512))
    assert "2 groups of 2 ranks with 256 samples of a batch or fewer each, which are played one after the" in said
    assert f", {in_all} in all" in said
    assert "GPU" not in said
    assert fullest.wiring < 0.55 * estimate(network, 8, 0, 1).wiring
    wrong = hpcsnn("check", "shd", "--set", "ranks_per_network=2")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: ranks_per_network: 2 is not allowed on 1 rank; must divide their number: 1")


def test_what_is_stored_of_a_training_is_digested_verified_and_compared(straight, tmp_path):
    run, _ = straight
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    assert stored_run(copy).digest() == summary_of(run)["digest"]
    said = []
    stored_run(copy).verify(said.append)
    assert said[0] == "last, after 24 batches: as written"
    assert said[2:] == ["metrics.jsonl: 26 lines", "evaluation.json: answers to 359 samples"]
    assert compared(run, copy) == ([], f"after 24 batches: digest {summary_of(run)['digest']}")
    assert hpcsnn("diff", run, copy).returncode == 0

    summary = summary_of(copy)
    (copy / "summary.json").write_text(json.dumps({**summary, "digest": "ab"}))
    with pytest.raises(StorageError, match=r"the last checkpoint has digest .*, its summary says ab: one of them was"):
        stored_run(copy).digest()
    (copy / "summary.json").write_text(json.dumps({**summary, "batches": 12}))
    with pytest.raises(StorageError, match=r"is of batch 24, its summary of batch 12: hpcsnn resume .* brings them"):
        stored_run(copy).digest()
    for name, text, message in (
        ("evaluation.json", "{}", "evaluation.json: cannot be read: 'labels'"),
        ("metrics.jsonl", "", r"metrics.jsonl: has 0 bytes, and had \d+ when the last checkpoint was written"),
    ):
        whole = (copy / name).read_text()
        (copy / name).write_text(text)
        with pytest.raises(StorageError, match=message):
            stored_run(copy).verify(said.append)
        (copy / name).write_text(whole)
    group = TrainingCheckpoints(copy).read("last").path
    group.write_bytes(group.read_bytes() + b"!")
    done = hpcsnn("verify", copy)
    assert done.returncode == 2
    assert "is not as it was written" in done.stdout
    assert re.search(r"[12] of 2 checkpoints damaged", done.stderr)


def test_two_trainings_differ_in_configuration_and_weights(straight, tmp_path):
    run, _ = straight
    changed = ("--set", "optimiser.adam.learning_rate=0.01", "--set", "learning.e_prop.feedback=adaptive")
    succeeds("train", "digits", *SHORT, *changed, "--out", tmp_path / "other")
    done = hpcsnn("diff", run, tmp_path / "other")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert {"optimiser.adam.learning_rate: 0.002 and 0.01", "feedback of hidden: only in one"} <= set(lines)
    assert any(re.fullmatch(r"hidden_to_output\.weight: [\d,]+ of 1,280 differ, at most by .*", line) for line in lines)
    assert any(line.startswith("input_to_hidden: ") and "synapses only in" in line for line in lines)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("populations: {}\n")
    with pytest.raises(ConfigurationError, match=r"is a run, and .* a training; compare two of one kind"):
        compared(run, tmp_path / "run")


def test_a_trained_network_runs_on_any_ranks_and_needs_its_training_no_more(straight, tmp_path):
    """Its weights are those that were learnt; what it does in the first sample is what the figures show of it."""
    of_training = tmp_path / "trained"
    shutil.copytree(straight[0], of_training)
    training = StoredTraining(of_training)
    digests = set()
    for ranks in (1, 2, 4):
        run = tmp_path / f"run{ranks}"
        options = ["--checkpoint", "last", "--samples", 3, "--device", "cpu", "--no-figures", "--set", "tile=4"]
        succeeds("run", "--from", of_training, *options, "--out", run, ranks=ranks)
        digests.add(stored_run(run).digest())
    assert len(digests) == 1
    network = StoredNetwork(tmp_path / "run1" / "network.zarr")
    for name, columns in training.learnt.synapses.items():
        stored = network.synapses(name)
        assert all(np.array_equal(stored[column], columns[column]) for column in ("pre", "post", "weight"))
    assert np.array_equal(network.neurons("output")["bias"], training.learnt.readout["bias"])
    summary = summary_of(tmp_path / "run1")
    configuration = load_training(of_training / "config.yaml", of_run=True)
    test = configuration.load_data().test
    assert summary["model_s"] == pytest.approx(3e-3 * test.n_steps)
    assert summary["populations"]["input"]["spikes"] == test.first_event[3]
    simulation = Simulation(training.as_run("last", 3, [], False).network(), device="cpu")
    simulation.run(float(test.n_steps))
    raster = raster_of(training.learnt.network(configuration.network(), "output"), test, 0, "cpu")
    for population, spikes in raster.items():
        assert all(np.array_equal(*pair) for pair in zip(simulation.spikes(population), spikes, strict=True))

    shutil.rmtree(of_training)
    said = succeeds("resume", tmp_path / "run2", "--until", "200ms", "--device", "cpu", "--no-figures").stdout
    assert "from 0.099 s" in said


def test_what_is_to_be_recorded_is_recorded_of_the_trained_network(tmp_path):
    record = {
        "populations.hidden.record": "{V: {every_ms: 1, neurons: 3..5}, spikes: {neurons: 0..9}}",
        "projections.hidden_to_output.record": "{weight: {every_ms: 10, targets: [2]}}",
    }
    asked = [word for key, value in record.items() for word in ("--set", f"{key}={value}")]
    small = [*SHORT, "--set", "epochs=1", "--set", "data.digits.train_samples=64"]
    said = succeeds("train", "digits", *small, *asked, "--out", tmp_path / "recorded").stdout
    line = f"nothing is recorded while it trains; of the trained network: hpcsnn run --from {tmp_path}/recorded\n"
    assert line in said
    plain = succeeds("train", "digits", *small, "--out", tmp_path / "plain").stdout
    assert "nothing is recorded" not in plain
    assert digest_of_run(tmp_path / "recorded") == digest_of_run(tmp_path / "plain")
    options = ["--samples", 1, "--device", "cpu", "--no-figures", "--set", "populations.output.record.V={every_ms: 1}"]
    succeeds("run", "--from", tmp_path / "recorded", *options, "--out", tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert set(run.spikes("hidden")["neuron"]) <= set(range(10))
    network = load_configuration(tmp_path / "run" / "config.yaml", of_run=True).network()
    simulation = Simulation(network, device="cpu")
    potential = {"hidden": [], "output": []}
    for _ in range(run.recorded("output")["V"].shape[0]):
        simulation.run(1)
        for name, rows in potential.items():
            rows.append(simulation.neurons(name)["V"])
    hidden, output = (run.recorded(name)["V"].values for name in potential)
    assert np.array_equal(hidden, np.array(potential["hidden"])[:, 3:6])
    assert np.array_equal(output, potential["output"])
    assert set(run.recorded_synapses("hidden_to_output")["weight"]["post"]) == {2}


def test_variables_that_a_trained_network_has_not_are_refused_before_it_trains():
    for key, said in (
        ("populations.hidden.record={v: 1}", r"populations.hidden.record: unknown name 'v'; allowed: V,"),
        ("projections.input_to_hidden.record={sign: 1}", r"projections.input_to_hidden.record: unknown name 'sign'"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            load_training("digits", [key]).network()


def test_a_trained_network_runs_with_a_stimulus_of_its_own(straight, tmp_path):
    training = StoredTraining(straight[0])
    stimulus = ["populations.input.model={poisson: {rate_hz: 50}}", "duration_ms=40"]
    configuration = training.as_run("best", 10, stimulus, False)
    assert configuration.network().populations["input"].model.name == "poisson"
    assert configuration.duration_ms == 40.0
    for options, message in (
        ([], "run: give a CONFIG, or --from RUN"),
        (["digits", "--from", straight[0]], "run: give a CONFIG, or --from RUN"),
        (["--from", straight[0], "--samples", 360], "--samples: 360 is not allowed; there are 359 to test by"),
        (
            ["--from", straight[0], "--checkpoint", "first"],
            "--checkpoint: 'first' is not allowed; must be best or last",
        ),
    ):
        wrong = hpcsnn("run", *options, "--out", tmp_path / "run")
        assert wrong.returncode == 2
        assert wrong.stderr.startswith(f"error: {message}")
        assert not (tmp_path / "run").exists()


def test_an_analysis_of_a_training_says_what_to_use(straight):
    run, _ = straight
    with pytest.raises(ConfigurationError, match=f"hpcsnn run --from {run} makes a run of the trained network, which"):
        stored_run(run).analyse(Console(), None, "svg", False)


def test_data_that_are_not_there_are_named_with_what_brings_them(tmp_path):
    done = hpcsnn("train", "shd", "--data", tmp_path, "--out", tmp_path / "run", "--device", "cpu")
    assert done.returncode == 1
    assert "shd_train.h5" in done.stderr
    assert str(tmp_path) in done.stderr
    assert "tonic.datasets.SHD" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_training_leaves_its_figures(tmp_path):
    """And draws them again, the same."""
    options = [option for option in SHORT if option != "--no-figures"]
    succeeds("train", "digits", *options, "--out", tmp_path / "run")
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "run" / "figures").glob("*.png")}
    shutil.rmtree(tmp_path / "run" / "figures")
    succeeds("plot", tmp_path / "run")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run" / "figures").glob("*.png")} == drawn
    names = {path.stem for path in (tmp_path / "run" / "figures").glob("*.png")}
    assert names == {
        *("learning_curves", "rewirings", "confusion", "degrees", "receptive_fields_input_to_hidden", "rasters")
    }


def test_a_job_trains_and_a_sweep_compares(tmp_path):
    """On files that --data names, whatever the folder is called."""
    data = tmp_path / "the reader's \N{GREEK SMALL LETTER SIGMA}"
    data.mkdir()
    shutil.copy(find_data_set("digits").places()[0] / "digits.csv.gz", data)
    sweep = ["sweep", "digits", "--vary", "connectivity=0.1,0.3", *SHORT[:4], "--cluster", "local", "--device", "cpu"]
    succeeds(*sweep, "--data", data, "--out", tmp_path / "sweep")
    members = [tmp_path / "sweep" / f"connectivity={value}" for value in (0.1, 0.3)]
    until(lambda: all((run / "summary.json").is_file() and summary_of(run)["completed"] for run in members))
    first, second = (summary_of(run)["synapses"]["input_to_hidden"] for run in members)
    assert first < second
    until(lambda: "2 completed" in succeeds("sweep", "--report", tmp_path / "sweep").stdout)
    assert "test_accuracy" in succeeds("sweep", "--report", tmp_path / "sweep").stdout
    assert load_training(members[0] / "config.yaml", of_run=True).data_folder == str(data)
    wrong = hpcsnn("submit", "topomap", "--data", data, "--dry-run")
    message = "error: --data: is not allowed; topomap is no training, and a run has no data\n"
    assert (wrong.returncode, wrong.stderr) == (2, message)


def test_data_that_were_moved_are_found_where_data_says(tmp_path):
    folder, moved, run = tmp_path / "was here", tmp_path / "is here", tmp_path / "run"
    folder.mkdir()
    shutil.copy(find_data_set("digits").places()[0] / "digits.csv.gz", folder)
    few = ["--set", "data.digits.train_samples=100", "--set", "epochs=1"]
    succeeds("train", "digits", *SHORT, *few, "--data", folder, "--out", run)
    folder.rename(moved)
    wrong = hpcsnn("evaluate", run, "--device", "cpu")
    assert (wrong.returncode, str(folder) in wrong.stderr) == (1, True)
    assert (
        f"{summary_of(run)['test_accuracy']:.2%}"
        in succeeds("evaluate", run, "--data", moved, "--checkpoint", "last").stdout
    )
    succeeds("run", "--from", run, "--data", moved, "--samples", 1, "--out", tmp_path / "played", "--no-figures")
    succeeds("resume", run, "--epochs", 2, "--data", moved, "--device", "cpu", "--no-figures")
    assert load_training(run / "config.yaml", of_run=True).data_folder == str(moved)
    for refused, message in (
        (["run", "topomap", "--data", moved], "--data: is not allowed without --from a training; a run has no data"),
        (["resume", tmp_path / "played", "--data", moved], "has no data and ends at --until"),
        (["resume", run, "--data", moved, "--cluster", "local"], "--data: is not allowed with --cluster"),
    ):
        wrong = hpcsnn(*refused)
        assert (wrong.returncode, message in wrong.stderr) == (2, True), wrong.stderr
