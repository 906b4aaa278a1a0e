"""A training of a moment, on data that are made: for tests of all that is around the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from hpcsnn.training.configuration import TrainingConfiguration, load_training

SMALL: dict[str, Any] = {
    "description": "A small one.",
    "seed": 5,
    "data": {"delayed_xor": {"train_samples": 96, "test_samples": 24, "n_inputs": 8}},
    "readout": "output",
    "batch": 10,
    "epochs": 3,
    "validation": 0.25,
    "optimiser": {"adam": {"learning_rate": 0.01}},
    "populations": {
        "input": {"size": 8, "model": "sample_input"},
        "hidden": {"size": 6, "model": "lif_subtractive"},
        "output": {"size": 2, "model": "leaky_readout"},
    },
    "projections": {
        "input_to_hidden": {
            "source": "input", "target": "hidden", "connector": {"fixed_probability": {"p": 0.5}},
            "receptor": "delta_current", "synapse": "trained", "weight": {"normal": {"mean": 0.2, "std": 0.2}},
        },
        "hidden_to_output": {
            "source": "hidden", "target": "output", "connector": "all_to_all", "receptor": "delta_current",
            "synapse": "trained", "weight": {"normal": {"mean": 0.0, "std": 0.4}},
        },
    },
}  # fmt: skip


def small_training(folder: Path, *overrides: str, **changed: Any) -> TrainingConfiguration:
    """It, as a file in `folder` gives it; `changed` are its keys."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changed}, sort_keys=False))
    return load_training(path, overrides)
