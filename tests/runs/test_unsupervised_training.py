"""``hpcsnn train`` without labels, and what goes on with the directory that it leaves."""

from __future__ import annotations

import json

import yaml

from support.runs import digest_of_run, succeeds

SMALL = {
    "description": "A small one.",
    "seed": 4,
    "data": {"delayed_xor": {"train_samples": 48, "test_samples": 12, "n_inputs": 8}},
    "readout": "hidden",
    "unsupervised": {"hypercolumn_bcpnn": {"source_units": 1, "connections": 3, "tau_patterns": 30, "swaps": 1}},
    "batch": 10,
    "epochs": 2,
    "validation": 0.25,
    "populations": {
        "input": {"size": 8, "model": "sample_input"},
        "hidden": {"size": 8, "model": {"softmax_unit": {"group_size": 4}}},
    },
    "projections": {
        "learns": {
            "source": "input", "target": "hidden", "connector": "all_to_all", "receptor": "delta_current", "weight": -1,
        }
    },
}  # fmt: skip


def test_it_is_trained_resumed_and_looked_at_as_any_training(tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text(yaml.safe_dump(SMALL, sort_keys=False))
    assert "2 ranks share the hypercolumns" in succeeds("check", config, "--ranks", 2).stdout
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    said = succeeds("train", config, "--out", straight, "--device", "cpu").stdout
    assert "36 samples to train on, 12 to validate by, 12 to test by" in said
    summary = json.loads((straight / "summary.json").read_text())
    assert summary["synapses"] == {"learns": 8 * 3}
    assert 0.0 <= summary["test_accuracy"] <= 1.0
    assert {"learning_curves.png", "confusion.png", "rasters.png"} <= {
        path.name for path in (straight / "figures").iterdir()
    }
    lines = [json.loads(line) for line in (straight / "metrics.jsonl").read_text().splitlines()]
    assert all(line["learning_rate"] is None for line in lines)
    succeeds("train", config, "--out", resumed, "--device", "cpu", "--no-figures", "--set", "epochs=1")
    succeeds("resume", resumed, "--epochs", 2, "--device", "cpu", "--no-figures")
    assert digest_of_run(resumed) == digest_of_run(straight)
    assert "last, after 8 batches: as written" in succeeds("verify", resumed).stdout
    assert "accuracy" in succeeds("evaluate", resumed, "--device", "cpu").stdout
