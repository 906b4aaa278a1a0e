"""Two runs beside each other: numbers of their summaries, their configurations, curves in one figure."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hpcsnn.analysis.drawing.comparison_figure import comparison_figure
from hpcsnn.cli.facts.comparison import as_plain
from hpcsnn.cli.tables.of_runs import print_comparison
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.runs.stored.comparison import Curves, compare

RUN = "seed: {seed}\npopulations: {{a: {{grid: [2, 2], model: {model}}}}}\n"


def directory(path, summary, configuration):
    path.mkdir()
    (path / "config.yaml").write_text(configuration)
    (path / "summary.json").write_text(json.dumps({"completed": True, "digest": "0", **summary}))
    return path


@pytest.fixture
def two(tmp_path):
    ones = {"steps": 1000, "populations": {"a": {"rate_hz": 4.0, "interval_cv": None}}, "phases": {"start_up": 1.0}}
    others = {"steps": 1000, "populations": {"a": {"rate_hz": 5.0, "interval_cv": 0.5}}}
    one = directory(tmp_path / "one", ones, RUN.format(seed=1, model="lif"))
    other = directory(tmp_path / "other", others, RUN.format(seed=2, model="{lif: {tau_m_ms: 10}}"))
    return one, other


def test_numbers_stand_beside_each_other_with_their_difference(two):
    told = as_plain(compare(*two))
    assert told["numbers"] == {
        "steps": {"A": 1000, "B": 1000, "difference": 0},
        "populations.a.rate_hz": {"A": 4.0, "B": 5.0, "difference": 1.0},
        "populations.a.interval_cv": {"A": None, "B": 0.5, "difference": None},
    }
    assert told["configuration"] == {
        "seed": {"A": 1, "B": 2},
        "populations.a.model": {"A": "lif", "B": {"lif": {"tau_m_ms": 10}}},
    }


def test_what_ranks_measured_is_beside_each_other_in_short(two):
    """The balance and the exchange's shares, not a table of ranks."""
    phases_s = {"neurons": 1.0, "exchange_wait": 0.5, "exchange_transfer": 0.25}
    summary = json.loads((two[1] / "summary.json").read_text())
    summary |= {"imbalance": 1.5, "per_rank": [{"propagation_s": 2.0, "phases_s": phases_s}] * 2}
    (two[1] / "summary.json").write_text(json.dumps(summary))
    numbers = as_plain(compare(*two))["numbers"]
    assert {name: of["B"] for name, of in numbers.items() if "populations" not in name} == {
        "steps": 1000,
        "imbalance": 1.5,
        "exchange_shares.wait": 0.25,
        "exchange_shares.transfer": 0.125,
        "exchange_shares.accept": 0.0,
    }
    assert numbers["imbalance"]["A"] is None, "an earlier version's"


def test_the_table_fits_80_columns_and_says_what_is_equal(two, capsys):
    print_comparison(as_plain(compare(*two)))
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines()]
    assert ["populations.a.rate_hz", "4", "5", "1", "+25"] in rows
    assert ["populations.a.interval_cv", "-", "0.5", "-"] in rows
    assert ["seed", "1", "2"] in rows
    assert max(len(line) for line in said.splitlines() if "/" not in line) <= 80
    print_comparison(as_plain(compare(two[0], two[0])))
    assert "configurations: equal" in capsys.readouterr().out


def test_only_runs_of_one_kind_that_have_ended(two, tmp_path):
    training = directory(tmp_path / "training", {}, "data: digits\n")
    with pytest.raises(ConfigurationError, match=r"training: is a training, and .*one a run; compare two of one kind"):
        compare(two[0], training)
    (two[1] / "summary.json").unlink()
    with pytest.raises(StorageError, match="an unfinished run"):
        compare(*two)


def test_trainings_have_their_epochs_beside_each_other(tmp_path):
    lines = [{"kind": "batches", "epoch": 1, "loss": 9.0}]
    lines += [{"kind": "epoch", "epoch": n, "loss": 1 / n, "validation_accuracy": None} for n in (1, 2, 3)]
    paths = [directory(tmp_path / name, {}, "data: digits\n") for name in ("one", "the other")]
    for path in paths:
        (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = compare(*paths)
    (loss,) = found.curves()
    assert (loss.label, loss.over) == ("loss", "epoch")
    assert [values.tolist() for values in loss.other] == [[1.0, 2.0, 3.0], [1.0, 0.5, 1 / 3]]
    assert found.draw("svg") == paths[0] / "figures" / "beside_the_other.svg"
    assert "<svg" in (paths[0] / "figures" / "beside_the_other.svg").read_text()
    (paths[1] / "metrics.jsonl").write_text("")
    assert compare(*paths).draw("svg") is None


def test_a_panel_has_both_curves_and_bins_as_means_over_a_second():
    times = np.arange(40) * 0.1
    binned = Curves("a (Hz)", "model time (s)", (times, np.ones(40)), (times[:20], np.arange(20.0)), bin_ms=100.0)
    single = Curves("ff: synapses", "model time (s)", (times[:3], times[:3]), (times[:2], times[:2]))
    figure = comparison_figure([binned, single, single], ("runs/$a", "runs/b"))
    rates, synapses, _, empty = figure.axes
    assert not empty.axison
    assert [text.get_text() for text in rates.get_legend().get_texts()] == ["runs/$a", "runs/b"]
    one, other = rates.lines
    np.testing.assert_allclose(one.get_ydata(), np.ones(31))
    np.testing.assert_allclose(other.get_ydata(), np.arange(11) + 4.5)
    assert [len(line.get_xdata()) for line in synapses.lines] == [3, 2]
