"""The commands as users type them, and what a run leaves behind."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
import zarr

from hpcsnn import Simulation
from hpcsnn.shipped_files import shipped_configurations
from hpcsnn.storage.network_store import StoredNetwork
from support.networks import topographic_map
from support.processes import completed
from support.ranks import hpcsnn, hpcsnn_command, run_on_ranks
from support.runs import records_of
from support.unpacked import unpack

ROOT = Path(__file__).parent.parent.parent

SHORT = ["--set", "duration_ms=200", "--device", "cpu", "--no-figures"]

OF_INTERVALS = ("interval_cv", "interval_cv_neurons")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A short run on one rank."""
    out = tmp_path_factory.mktemp("runs") / "one"
    record = ["--set", "populations.target.record={spikes: {neurons: 0..99}}"]
    done = hpcsnn("run", "topomap", *SHORT, *record, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done


def test_a_finished_run_shows_the_rates_that_led_to_its_end(finished):
    """Sources fire at 5 Hz and more: of 256 neurons some spike in each look."""
    out, _ = finished
    progress = json.loads((out / "progress.json").read_text())
    assert (progress["model_s"], progress["left_s"]) == (0.2, 0.0)
    assert progress["rates_hz"]["source"] > 0


@pytest.mark.parametrize("grid", ["1, 300", "3, 7"])
def test_check_says_what_a_run_gives(grid, tmp_path):
    """On grids that are no wider than the profile; five standard deviations of independent pairs."""
    (tmp_path / "odd.yaml").write_text(
        f"duration_ms: 1\n"
        f"populations:\n"
        f"  a: {{grid: [{grid}], model: {{poisson: {{rate_hz: 5}}}}}}\n"
        f"  b: {{grid: [{grid}], model: lif}}\n"
        f"projections:\n"
        f"  ab: {{source: a, target: b, connector: {{gaussian: {{p_max: 0.9, sigma: 2.5}}}}, "
        f"receptor: delta_current, weight: 1}}\n"
    )
    checked = hpcsnn("check", tmp_path / "odd.yaml")
    line = next(line.split() for line in checked.stdout.splitlines() if line.startswith("ab "))
    n_synapses, in_degree = int(line[3].replace(",", "")), float(line[4])
    done = hpcsnn("run", tmp_path / "odd.yaml", "--device", "cpu", "--no-figures", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "summary.json").read_text())["projections"]["ab"]
    assert abs(found["synapses"] - n_synapses) <= 5 * np.sqrt(n_synapses) + 1
    assert found["in_degree_mean"] == pytest.approx(in_degree, abs=5 * np.sqrt(n_synapses) / (n_synapses / in_degree))


def test_help_teaches():
    text = hpcsnn("--help").stdout
    for command in ("run", "digest", "check", "plot", "configs"):
        assert f" {command} " in text
    text = hpcsnn("run", "--help").stdout
    for part in (
        "CONFIG",
        "--set",
        "KEY=VALUE",
        "--out",
        "--overwrite",
        "--device",
        "auto|cpu|gpu",
        "mpiexec -n",
        "Examples",
    ):
        assert part in text, part
    assert hpcsnn("--version").stdout == "hpcsnn 0.1.0\n"
    assert "run" in hpcsnn().stdout, "no command: help"


def test_configs_are_listed_with_what_they_are():
    lines = hpcsnn("configs").stdout.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == ["hpcsnn run", "hpcsnn train"]
    described = dict(line.split(maxsplit=1) for line in lines if line.startswith(" "))
    assert sorted(described) == sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))
    assert "Topographic map with STDP and rewiring" in described["topomap"]
    assert {"bamford_2010", "last_to_fire", "local_proposals"} <= {name.removeprefix("topomap_") for name in described}


def test_every_configuration_that_ships_runs_and_draws_its_figures(tmp_path, monkeypatch):
    """Briefly, which takes less time than to optimise: what they come to in time is tested where their rules are."""
    monkeypatch.setenv("CXXFLAGS", "-O0")
    for name in shipped_configurations():
        out = tmp_path / name
        done = hpcsnn("run", name, "--set", "duration_ms=250", "--out", out, "--device", "cpu")
        assert done.returncode == 0, done.stderr
        assert (out / "figures" / "rates.png").is_file()


def test_a_run_leaves_what_the_issue_lists(finished):
    out, _ = finished
    summary = json.loads((out / "summary.json").read_text())
    assert {"seed", "ranks", "device", "steps", "wall_s", "wall_per_model_s", "phases", "digest"} <= set(summary)
    assert (summary["seed"], summary["ranks"], summary["steps"]) == (1, 1, 2000)
    assert set(summary["phases"]) == {
        *("neurons", "delivery", "plasticity", "rewiring", "exchange", "recording", "start_up")
    }
    assert summary["wall_s"] == pytest.approx(summary["wall_per_model_s"] * 0.2)
    in_steps = sum(seconds for phase, seconds in summary["phases"].items() if phase != "start_up")
    assert 0 < in_steps <= summary["wall_s"] * (1 + 1e-9), "the rest of the time passes between steps"
    for name in ("source", "target"):
        population = summary["populations"][name]
        assert set(population) == {"size", "spikes", "rate_hz", "rate_last_10s_hz", *OF_INTERVALS}
        assert population["rate_hz"] == pytest.approx(population["spikes"] / 256 / 0.2)
    spikes, variations = records_of(out).spikes("target"), []
    for neuron in np.unique(spikes[:, 1]):
        intervals = np.diff(spikes[spikes[:, 1] == neuron, 0])
        variations += [intervals.std() / intervals.mean()] if len(intervals) > 1 else []
    assert summary["populations"]["target"]["interval_cv"] == pytest.approx(np.mean(variations))
    assert [summary["populations"]["target"][name] for name in OF_INTERVALS][1:] == [100]
    assert [summary["populations"]["source"][name] for name in OF_INTERVALS] == [None] * 2, (
        "its spikes are not recorded"
    )
    keys = "synapses in_degree_mean in_degree_std out_degree_std weight_mean weight_below_half sigma_aff "
    keys += "sigma_aff_weighted distance_mean formed eliminated refused"
    for name in ("ff", "lat"):
        projection = summary["projections"][name]
        assert set(projection) == set(keys.split())
        simulation = Simulation(topographic_map(), device="cpu")
        start = simulation.state.stores[name].n_synapses()
        assert projection["synapses"] == start + projection["formed"] - projection["eliminated"]
        assert projection["formed"] > 0


def test_statistics_of_the_summary_by_slow_formulas(finished):
    out, _ = finished
    said = json.loads((out / "summary.json").read_text())["projections"]
    stored = StoredNetwork(out / "network.zarr")
    for name in ("ff", "lat"):
        synapses = stored.synapses(name)
        pre, post, weight = synapses["pre"], synapses["post"], synapses["weight"].astype(float)
        dx, dy = np.abs(pre % 16 - post % 16), np.abs(pre // 16 - post // 16)
        squared = np.minimum(dx, 16 - dx) ** 2 + np.minimum(dy, 16 - dy) ** 2
        in_degree, out_degree = (np.bincount(end, minlength=256) for end in (post, pre))
        expected = {
            "synapses": len(pre),
            "in_degree_mean": in_degree.mean(),
            "in_degree_std": in_degree.std(),
            "out_degree_std": out_degree.std(),
            "weight_mean": weight.mean(),
            "weight_below_half": (weight < 0.1).mean(),
            "sigma_aff": np.sqrt(squared.mean() / 2),
            "sigma_aff_weighted": np.sqrt((weight * squared).sum() / weight.sum() / 2),
            "distance_mean": np.sqrt(squared).mean(),
        }
        assert {key: said[name][key] for key in expected} == pytest.approx(expected, rel=1e-9)


def test_the_terminal_says_what_happened(finished):
    out, done = finished
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{out}: 1 rank, each on cpu (")
    assert lines[1].startswith("0.2 s of model time in ")
    assert f"digest {json.loads((out / 'summary.json').read_text())['digest'][:16]}" in lines[1]
    assert any(line.startswith("sigma_aff") for line in lines)
    cv = json.loads((out / "summary.json").read_text())["populations"]["target"]["interval_cv"]
    shown = [line.split(maxsplit=4)[-1].strip() for line in lines if line.split()[0] in ("source", "target")]
    assert shown == ["-", f"{cv:.2f} of 100"]
    assert done.stderr == ""


def test_tables_fit_80_columns(finished):
    out, _ = finished
    for arguments in (("check", "topomap"), ("run", "topomap", *SHORT, "--out", out.parent / "narrow")):
        done = hpcsnn(*arguments, columns=80)
        assert done.returncode == 0
        # A path is never cut in two.
        assert max(len(line) for line in done.stdout.splitlines() if str(out.parent) not in line) <= 80
        assert "…" not in "".join(done.stdout.split("digest")[:1]), "nothing cut off"


def test_the_resolved_configuration_gives_the_same_run(finished):
    out, _ = finished
    resolved = yaml.safe_load((out / "config.yaml").read_text())
    assert resolved["projections"]["ff"]["rewiring"]["bamford"]["every_ms"] == 1.0, "defaults are written out"
    assert (
        hpcsnn("run", out / "config.yaml", "--device", "cpu", "--no-figures", "--out", out.parent / "again").returncode
        == 0
    )
    one, again = hpcsnn("digest", out, out.parent / "again").stdout.splitlines()
    assert one.split()[0] == again.split()[0]
    assert len(one.split()[0]) == 64


def test_ranks_give_the_same_digest_and_store(finished, tmp_path):
    out, _ = finished
    cli = str(Path(sys.executable).parent / "hpcsnn")
    record = ["--set", "populations.target.record={spikes: {neurons: 0..99}}"]
    done = run_on_ranks(3, [cli, "run", "topomap", *SHORT, *record, "--out", str(tmp_path / "three")])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("3 ranks, each on cpu") == 1, "rank 0 speaks for all"
    one, three = hpcsnn("digest", out, tmp_path / "three").stdout.splitlines()
    assert one.split()[0] == three.split()[0]
    ours, theirs = (StoredNetwork(path / "network.zarr") for path in (out, tmp_path / "three"))
    for name in ("ff", "lat"):
        for column, values in ours.synapses(name).items():
            np.testing.assert_array_equal(values, theirs.synapses(name)[column])
    spikes, same = (records_of(path).spikes("target") for path in (out, tmp_path / "three"))
    np.testing.assert_array_equal(spikes, same)
    assert set(spikes[:, 1]) <= set(range(100))
    assert 0 < len(spikes) < json.loads((out / "summary.json").read_text())["populations"]["target"]["spikes"]
    assert records_of(out).names("spikes") == ["target"]
    summaries = [json.loads((path / "summary.json").read_text()) for path in (out, tmp_path / "three")]
    for summary in summaries:
        for key in ("ranks", "date", "wall_s", "wall_per_model_s", "phases", "checkpoints"):
            del summary[key]
    assert summaries[0]["projections"].keys() == summaries[1]["projections"].keys()
    for name in ("ff", "lat"):
        assert summaries[0]["projections"][name] == pytest.approx(summaries[1]["projections"][name], rel=1e-12)


def test_the_stored_network_is_zarr_in_shards_of_tiles(finished):
    out, _ = finished
    group = zarr.open_group(zarr.storage.ZipStore(out / "network.zarr"), mode="r")
    assert group.metadata.zarr_format == 3
    state, weight = group["populations/target/state/V_mV"], group["projections/ff/synapse/weight"]
    assert (state.shape, state.shards, state.chunks) == ((16, 16), (8, 8), (8, 8))
    in_degree = group["projections/ff/in_degree"][...]
    in_shard = [int(in_degree[y : y + 8, x : x + 8].sum()) for y in (0, 8) for x in (0, 8)]
    assert weight.shape == (4, max(in_shard))
    assert (weight[...] > 0).sum(axis=1).tolist() == in_shard


def test_a_changed_network_or_summary_is_told(finished, tmp_path):
    import shutil

    out, _ = finished
    for what in ("network", "summary"):
        copy = tmp_path / what
        shutil.copytree(out, copy, symlinks=True)
        if what == "network":
            weight = zarr.open_group(unpack(copy / "network.zarr"), mode="r+")["projections/ff/synapse/weight"]
            values = weight[...]
            values[1, 3] += 2**-20
            weight[...] = values
        else:
            summary = json.loads((copy / "summary.json").read_text())
            (copy / "summary.json").write_text(json.dumps(summary | {"digest": "0" * 64}))
        done = hpcsnn("digest", copy)
        assert done.returncode == 2
        assert "one of them was changed" in done.stderr


def test_a_folder_without_a_run_is_told(tmp_path):
    done = hpcsnn("digest", tmp_path)
    assert (done.returncode, done.stderr) == (2, f"error: {tmp_path}: no run (there is no summary.json)\n")
    (tmp_path / "config.yaml").touch()
    assert "an unfinished run" in hpcsnn("plot", tmp_path).stderr
    for command in ("plot", "analyze"):
        done = hpcsnn(command, tmp_path, "--format", "jpeg")
        message = "error: --format: 'jpeg' is not allowed; must be png, pdf or svg\n"
        assert (done.returncode, done.stderr) == (2, message)


def test_check_prints_sizes_and_runs_nothing(tmp_path):
    done = hpcsnn("check", "topomap", "--set", "scale=16", "--ranks", "4", cwd=tmp_path)
    assert done.returncode == 0
    assert "600,000 steps of 0.1 ms" in done.stdout
    for part in (
        "256 x 256",
        "65,536",
        "16,384",
        "moving_gaussian_poisson",
        "bamford",
        "4 ranks",
        "every 0.1 ms",
        "MB",
    ):
        assert part in done.stdout, part
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_there_is_kept_unless_told_otherwise(tmp_path):
    out = tmp_path / "run"
    assert hpcsnn("run", "topomap", *SHORT, "--out", out).returncode == 0
    first = (out / "summary.json").read_text()
    (out / "notes.txt").write_text("mine")
    done = hpcsnn("run", "topomap", *SHORT, "--set", "seed=2", "--out", out)
    assert done.returncode == 2
    assert done.stderr == f"error: {out}: holds a run already, which is kept; give another --out, or --overwrite\n"
    assert (out / "summary.json").read_text() == first
    assert hpcsnn("run", "topomap", *SHORT, "--set", "seed=2", "--out", out, "--overwrite").returncode == 0
    assert json.loads((out / "summary.json").read_text())["seed"] == 2
    assert (out / "notes.txt").read_text() == "mine"


def test_a_folder_of_someone_elses_is_not_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    done = hpcsnn("run", "topomap", *SHORT, "--out", tmp_path, "--overwrite")
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path}: is not empty and not a run of hpcsnn; give another --out\n"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    for out, why in (
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "run", "cannot be written: Not a directory"),
    ):
        done = hpcsnn("run", "topomap", *SHORT, "--out", out)
        assert done.returncode == 2
        assert done.stderr == f"error: {out}: {why}; give another --out\n"
    done = hpcsnn("run", "topomap", *SHORT, "--out", "/proc/hpcsnn")
    assert done.returncode == 2
    assert "error: /proc/hpcsnn: cannot be written: " in done.stderr


def test_configuration_errors_come_without_a_traceback_and_once(tmp_path):
    cli = str(Path(sys.executable).parent / "hpcsnn")
    out = str(tmp_path / "run")
    for done in (
        hpcsnn("run", "topomap", "--set", "sead=3", "--out", out),
        run_on_ranks(2, [cli, "run", "topomap", "--set", "sead=3", "--out", out]),
    ):
        assert done.returncode == 2
        assert done.stderr.count("unknown name 'sead'") == 1
        assert "Traceback" not in done.stderr
    done = run_on_ranks(5, [cli, "run", "topomap", *SHORT, "--out", out])
    assert done.returncode == 2
    assert done.stderr.count("ranks: 5 is not allowed") == 1
    assert not Path(out).exists() or not any(Path(out).iterdir())


def test_refused_synapses_are_warned_about(tmp_path):
    capacity = ["--set", "projections.ff.capacity=4", "--set", "projections.ff.rows_grow=false"]
    done = hpcsnn("run", "topomap", *SHORT, *capacity, "--out", tmp_path / "run")
    assert done.returncode == 0
    refused = json.loads((tmp_path / "run" / "summary.json").read_text())["projections"]["ff"]["refused"]
    assert refused > 100
    assert f"warning: projections.ff: {refused:,} synapses were refused because a row was full" in done.stdout
    assert "raise projections.ff.capacity or let rows grow" in done.stdout
    assert hpcsnn("digest", tmp_path / "run").returncode == 0


@pytest.mark.parametrize("output", ["> /dev/full", "2>&1 | head -1", ">&-", "> /dev/full 2> /dev/full"])
def test_a_run_that_is_whole_ends_well_whether_it_can_be_told_or_not(output, tmp_path):
    command = shlex.join(hpcsnn_command("run", "topomap", *SHORT, "--out", tmp_path / "run"))
    done = completed(["bash", "-o", "pipefail", "-c", f"{command} {output}"])
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == ("head" in output)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["completed"]


def test_a_command_whose_work_is_its_output_fails_with_it(finished):
    command = shlex.join(hpcsnn_command("digest", finished[0]))
    assert completed(["bash", "-c", f"{command} > /dev/full"]).returncode != 0
