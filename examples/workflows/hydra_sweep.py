"""Runs of hpcsnn by Hydra: `settings` are laid over a configuration, and what Hydra varies is in them.

    $ pip install hydra-core
    $ python examples/workflows/hydra_sweep.py --multirun settings.seed=1,2 settings.projections.ff.weight=0.1,0.2

Each run directory is `run` in the folder that Hydra gives the job. What is returned is what a sweeper may optimise.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hpcsnn.configuration.files import load_configuration
from hpcsnn.runs.experiment import Setting, run_experiment


def overrides(settings: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Settings as ``hpcsnn run --set`` takes them: ``projections.ff.weight=0.2``."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from overrides(value, f"{where}{key}.")
        else:
            yield f"{where}{key}={json.dumps(value)}"


def target_rate_hz(configuration: str, settings: Mapping[str, Any], folder: Path) -> float:
    """Run a configuration with settings laid over it; the rate of the population `target`."""
    chosen = load_configuration(configuration, list(overrides(settings)))
    summary = run_experiment(chosen, folder, Setting(device="cpu", figures=False))
    return float(summary["populations"]["target"]["rate_hz"])


def main() -> None:
    """Let Hydra call."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig, OmegaConf

    @hydra.main(version_base="1.3", config_path=".", config_name="hydra_sweep")
    def job(asked: DictConfig) -> float:
        plain: Any = OmegaConf.to_container(asked, resolve=True)
        folder = Path(HydraConfig.get().runtime.output_dir) / "run"
        rate_hz = target_rate_hz(plain["configuration"], plain["settings"], folder)
        print(f"{folder}: target {rate_hz:.2f} Hz")
        return rate_hz

    job()


if __name__ == "__main__":
    main()
