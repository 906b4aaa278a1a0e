"""Rules of rewiring at 1 % connectivity, paired by seed: ``python -m scaling.training.growth [DATA ...]``.

Settings of each rule are chosen on samples that are held out of the training samples; then each rule is trained anew,
and tested, with every seed. A seed fixes which samples there are, the first wiring and weights, and the order of
samples, so that rules differ in nothing else. Results are kept run by run: what is there is not run again.
"""

from __future__ import annotations

import csv
import datetime
import fcntl
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.markdown import Markdown

from hpcsnn import __version__
from hpcsnn.devices.processors import processor
from hpcsnn.errors import ConfigurationError
from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.training_run import run_training
from hpcsnn.training.configuration import load_training

RESULTS = Path(__file__).parents[1] / "results"
NAME = "growth"
SEEDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Data:
    """What is trained on; `epochs` of each run; and how settings are chosen: what part of the training samples is
    `held_out` then, with which `seeds`, and how many `batches` there are."""

    settings: tuple[str, ...]
    epochs: int
    held_out: float
    seeds: tuple[int, ...]
    batches: int

    def base(self, held_out: float) -> list[str]:
        """Settings of a training."""
        return [*self.settings, f"epochs={self.epochs}", f"validation={held_out}", "connectivity=0.01"]


DATA = {
    "MNIST-5k": Data(("data=mnist_5k",), epochs=20, held_out=0.25, seeds=(1, 2), batches=480),
    "Fashion-MNIST": Data(
        ("data.fashion_mnist.train_samples=10000",), epochs=10, held_out=0.2, seeds=(1,), batches=620
    ),
}


@dataclass(frozen=True)
class Arm:
    """A rule with the settings that are tried; `{until}` stands for three quarters of a training's batches."""

    name: str
    rates: tuple[float, ...]
    rules: tuple[str, ...] = field(default=("null",))

    def choices(self, data: Data) -> Iterator[tuple[str, ...]]:
        """Each as settings."""
        for rate in self.rates:
            for rule in self.rules:
                chosen = rule.replace("{until}", str(data.batches * 3 // 4))
                yield (
                    f"optimiser={{adam: {{learning_rate: {rate}}}}}",
                    f"projections.input_to_hidden.rewiring={chosen}",
                )


def _each(name: str, *values: str) -> tuple[str, ...]:
    return tuple(f"{{{name}: {{{one}}}}}" for one in values)


_EVERY = ("every: 10, fraction: 0.1", "every: 10, fraction: 0.3")
_L1 = ("l1: 1.0e-5", "l1: 0.001", "l1: 0.01")
ARMS = (
    Arm("static", (0.005, 0.01, 0.02)),
    Arm("DEEP R", (0.01,), _each("deep_r_by_gradient", *_L1)),
    Arm("SET", (0.01,), _each("sparse_evolution", *(f"{one}, decay_until: {{until}}" for one in _EVERY))),
    Arm("RigL", (0.01,), _each("rig_l", *(f"{one}, decay_until: {{until}}, candidates: 8" for one in _EVERY))),
    Arm("DEEP R, guided", (0.01,), _each("deep_r_guided", *(f"{one}, candidates: 0.5" for one in _L1))),
)
# By how much the first is above the second.
PAIRS = (
    ("DEEP R", "static"),
    ("SET", "static"),
    ("RigL", "static"),
    ("DEEP R, guided", "static"),
    ("RigL", "SET"),
    ("RigL", "DEEP R"),
    ("DEEP R, guided", "DEEP R"),
)


def trained(settings: list[str]) -> dict[str, float]:
    """Accuracy on what is held out, and on the test samples, after the last epoch; CPU seconds."""
    configuration = load_training("fashion_mnist_static", settings)
    before = os.times()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        summary = run_training(configuration, run, Setting(device="cpu", figures=False))
        last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    after = os.times()
    return {
        "held_out": round(float(last["validation_accuracy"]), 5),
        "test": round(float(summary["test_accuracy"]), 5),
        "cpu_s": round(after.user + after.system - before.user - before.system, 2),
    }


class Kept:
    """Runs of a file, by data, stage, arm, settings and seed; others may write to it meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Any]:
        """All of it."""
        return json.loads(self.path.read_text()) if self.path.exists() else {"runs": {}}

    def run(self, data: str, stage: str, arm: str, settings: tuple[str, ...], seed: int, held_out: float) -> float:
        """Accuracy in a stage, trained unless it is there."""
        key, where = " ".join(settings), (data, stage, arm)
        found = self._at(self.read(), where).get(key, {}).get(str(seed))
        if found is None:
            found = trained([*DATA[data].base(held_out), *settings, f"seed={seed}"])
            if stage == "held_out":
                del found["test"]  # nobody looks at it
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                now = self.read()
                self._at(now, where).setdefault(key, {})[str(seed)] = found
                part = self.path.with_suffix(".part")
                part.write_text(json.dumps(now | about(), indent=1) + "\n")
                part.replace(self.path)
            finally:
                os.close(folder)
        return float(found[stage])

    @staticmethod
    def _at(found: dict[str, Any], where: tuple[str, ...]) -> dict[str, Any]:
        place = found["runs"]
        for one in where:
            place = place.setdefault(one, {})
        return place


def about() -> dict[str, Any]:
    """Where and with what this runs."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": "python -m scaling.training.growth",
        "device": f"cpu ({processor()}), {os.cpu_count()} cores, shared with other work",
        "python": platform.python_version(),
        "versions": {"hpcsnn": __version__, "numpy": np.__version__},
    }


def train(path: Path, data: str, stage: str, arm: str, settings: tuple[str, ...], seed: int) -> float:
    """Accuracy of a run in a stage, as a process of its own does it."""
    return Kept(path).run(data, stage, arm, settings, seed, DATA[data].held_out if stage == "held_out" else 0.1)


def measure(path: Path, data: str, processes: int) -> None:
    """Choose each arm's settings, those of the best mean on what was held out; then test them, seed by seed."""
    of = DATA[data]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        tried = {
            (arm.name, one): [pool.submit(train, path, data, "held_out", arm.name, one, seed) for seed in of.seeds]
            for arm in ARMS
            for one in arm.choices(of)
        }
        scores = {key: float(np.mean([run.result() for run in runs])) for key, runs in tried.items()}
        best = {arm.name: max(arm.choices(of), key=lambda one: scores[arm.name, one]) for arm in ARMS}
        runs = [
            pool.submit(train, path, data, "test", arm, settings, seed)
            for seed in SEEDS
            for arm, settings in best.items()
        ]
        for run in runs:
            run.result()


def difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of the differences of pairs, and its standard error."""
    apart = first - second
    return float(apart.mean()), float(apart.std(ddof=1) / len(apart) ** 0.5)


def of_tests(found: dict[str, Any], data: str) -> tuple[list[int], dict[str, tuple[str, NDArray[np.float64]]]]:
    """The seeds that all arms have been tested with; and by arm its settings and test accuracies (%) of these seeds."""
    tests = found["runs"].get(data, {}).get("test", {})
    # Of an arm that was tuned once more, the settings that were chosen last.
    last = {arm.name: list(tests[arm.name].items())[-1] for arm in ARMS if arm.name in tests}
    if len(last) < len(ARMS):
        return [], {}
    seeds = [seed for seed in SEEDS if all(str(seed) in by_seed for _, by_seed in last.values())]
    return seeds, {
        arm: (settings, 100 * np.array([by_seed[str(seed)]["test"] for seed in seeds]))
        for arm, (settings, by_seed) in last.items()
        if len(seeds) > 1
    }


def markdown(found: dict[str, Any]) -> str:
    """Tables of what is there."""
    lines = ["# Growth of synapses in training", ""]
    lines += [
        "128 LIF neurons, 1 % of the pairs of pixels and neurons connected, e-prop, Adam. Settings were chosen on "
        "samples held out of the training samples; the test is of the network after the last epoch. Differences are "
        "paired by seed: mean and standard error, in points.",
        "",
    ]
    for data, of in DATA.items():
        tested, arms = of_tests(found, data)
        if not arms:
            continue
        lines += [f"## {data}", "", f"`{' '.join(of.settings)}`, {of.epochs} epochs, {len(tested)} seeds.", ""]
        lines += ["| rule | test accuracy (%) | by seed | settings |", "| --- | --- | --- | --- |"]
        for arm, (settings, by_seed) in arms.items():
            seeds = ", ".join(f"{one:.1f}" for one in by_seed)
            error = by_seed.std(ddof=1) / len(by_seed) ** 0.5
            lines.append(f"| {arm} | {by_seed.mean():.2f} +- {error:.2f} | {seeds} | `{settings}` |")
        lines += ["", "| difference | points | standard errors |", "| --- | --- | --- |"]
        for one, other in PAIRS:
            if one in arms and other in arms:
                mean, error = difference(arms[one][1], arms[other][1])
                lines.append(f"| {one} - {other} | {mean:+.2f} +- {error:.2f} | {mean / max(error, 1e-9):+.1f} |")
        lines.append("")
    if "date" in found:
        lines += [f"`{found['command']}`; {found['device']}; {found['date']}; Python {found['python']}.", ""]
    return "\n".join(lines)


def write(path: Path) -> str:
    """Table, rows and figure beside the results; the table."""
    from matplotlib.figure import Figure

    found = Kept(path).read()
    text = markdown(found)
    path.with_suffix(".md").write_text(text)
    with path.with_suffix(".csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["data", "rule", "seed", "test_accuracy_percent", "settings"])
        for data in DATA:
            tested, arms = of_tests(found, data)
            for arm, (settings, by_seed) in arms.items():
                both = zip(tested, by_seed, strict=True)
                rows.writerows([data, arm, seed, f"{one:.3f}", settings] for seed, one in both)
    shown = [data for data in DATA if of_tests(found, data)[1]]
    figure = Figure(figsize=(4.2 * max(len(shown), 1), 3.2), layout="constrained")
    for number, data in enumerate(shown):
        (_, arms), axes = of_tests(found, data), figure.add_subplot(1, len(shown), number + 1)
        others = [arm for arm in arms if arm != "static"]
        for at, arm in enumerate(others):
            apart = arms[arm][1] - arms["static"][1]
            axes.plot(np.full(len(apart), at), apart, "o", color="0.7", markersize=4)
            axes.errorbar(at + 0.15, *difference(arms[arm][1], arms["static"][1]), fmt="ks", capsize=3)
        axes.axhline(0.0, color="0.5", linewidth=0.8)
        axes.set_xticks(range(len(others)), others, rotation=20)
        axes.set(title=data, ylabel="test accuracy above static (points)")
    figure.savefig(path.with_suffix(".png"), dpi=120)
    return text


def main(
    data: Annotated[list[str] | None, typer.Argument(help="MNIST-5k, Fashion-MNIST; without any, both.")] = None,
    folder: Annotated[Path, typer.Option(help="Where results are kept.")] = RESULTS,
    processes: Annotated[int, typer.Option(help="Trainings at a time.")] = 1,
    only_write: Annotated[bool, typer.Option(help="Train nothing: tables and figure of what is there.")] = False,
) -> None:
    """Choose settings, train and test, and write what it came to."""
    path = folder / f"{NAME}.json"
    for name in () if only_write else data or list(DATA):
        if name not in DATA:
            raise ConfigurationError(f"data: {name!r} is not allowed; one of {', '.join(DATA)}")
        measure(path, name, processes)
    Console().print(Markdown(write(path)))


if __name__ == "__main__":
    typer.run(main)
