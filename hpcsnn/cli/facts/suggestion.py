"""What ``hpcsnn check --suggest-ranks`` says: how many ranks pay for a network, by a study."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from hpcsnn.configuration.schema import Configuration
from hpcsnn.errors import ConfigurationError
from hpcsnn.jobs.studies.dry_runs import read_dry_runs
from hpcsnn.jobs.studies.results import StudyRun, gathered
from hpcsnn.jobs.studies.study import read_study, usual_study
from hpcsnn.jobs.studies.tables import tested
from hpcsnn.planning.cost_model import fitted
from hpcsnn.planning.network_work import NetworkShape
from hpcsnn.planning.suggestion import suggested

_HOW = "make one where the network is to run: hpcsnn scale strong CONFIG --ranks 1,2,4"


def suggestion_of(
    config: str, configuration: Configuration, study: Path | None, least_efficiency: float
) -> dict[str, Any]:
    """The suggestion, what it is from, and how far it may be trusted; by default from the usual study of `config`.

    Raises:
        ConfigurationError: no study, none with a finished run, or none that says how often the network's neurons spike.
        StorageError: a study that cannot be read.
    """
    study = study or usual_study(config)
    if study is None:
        raise ConfigurationError(
            "--suggest-ranks: needs a --study: what a neuron, a spike and a message take differs from machine to "
            f"machine, and none of it is guessed; {_HOW}"
        )
    there = read_study(study)
    runs = gathered(there, keep=False)
    if not runs:
        raise ConfigurationError(f"--study: {study} has no finished run; {_HOW}")
    network = configuration.network()
    shape = NetworkShape.of(network, configuration.tile, configuration.exchange)
    rates_hz = _rates_hz(runs, list(network.populations), study)
    model = fitted(runs, read_dry_runs(there))
    found = suggested(model, shape.work(rates_hz), least_efficiency)
    return {
        "suggested_ranks": found.ranks,
        "why": found.why,
        "least_efficiency": found.least_efficiency,
        "candidates": [
            {**one.model_dump(), "real_time_factor": one.step_s / (network.dt_ms * 1e-3)} for one in found.candidates
        ],
        "study": str(study),
        "tested": tested(model),
        "error": None if model.left_out is None else model.left_out.error,
        "measured_ranks": model.ranks,
        "rates_hz": rates_hz,
    }


def _rates_hz(runs: list[StudyRun], names: list[str], study: Path) -> dict[str, float]:
    """How often neurons of each population spike in the study."""
    known = set.intersection(*(set(run.rates_hz) for run in runs))
    missing = [name for name in names if name not in known]
    if missing:
        raise ConfigurationError(
            f"--study: {study} does not say how often populations.{missing[0]} spikes: it is of {runs[0].config}; make "
            "one of this network"
        )
    return {name: median(run.rates_hz[name] for run in runs) for name in names}
