"""What a rank takes as the network grows with the number of ranks, found by dry runs: ``python -m scaling.dry_runs``.

The map with 4,096 neurons of each layer a rank. Each number of ranks is tried several times, in turn, each time in a
process of its own. Then the first rank of two is run for real and by itself, in turn: for as long, from the first step
on, and by itself beside a dry run of the second, so that both processors are as busy as they were.
"""

from __future__ import annotations

import datetime
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hpcsnn._version import __version__
from hpcsnn.devices.processors import processor

RANKS = (1, 16, 256, 4096, 102_400)
ROUNDS = 5
# Sides of a layer grow by 16 neurons with the scale.
SCALES = {1: 4, 2: 6, 16: 16, 256: 64, 4096: 256, 102_400: 1280}
RESULTS = Path(__file__).parent / "results"
COMPARED = ("neurons", "delivery", "plasticity", "rewiring")
TIMES = ("--duration", "1s", "--warm-up", "200ms")
REAL_MS = 5000  # of the run for real and what stands beside it


def hpcsnn(*arguments: str) -> str:
    """What a command prints."""
    program = str(Path(sys.executable).parent / "hpcsnn")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


def dry_run(ranks: int, rank: str = "worst") -> dict[str, Any]:
    """One dry run, its facts."""
    asked = ("dry-run", "topomap", "--set", f"scale={SCALES[ranks]}", "--ranks", str(ranks), "--rank", rank)
    found: dict[str, Any] = json.loads(hpcsnn(*asked, *TIMES, "--json"))
    return found


def real_run() -> dict[str, float]:
    """Microseconds of a step in each phase, of the first rank of two."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "two"
        program = [str(Path(sys.executable).parent / name) for name in ("mpiexec", "hpcsnn")]
        settings = ["--set", f"scale={SCALES[2]}", "--set", f"duration_ms={REAL_MS}"]
        asked = ["run", "topomap", *settings, "--out", str(out)]
        subprocess.run(
            [program[0], "-n", "2", program[1], *asked, "--measure", "--device", "cpu"], check=True, capture_output=True
        )
        summary = json.loads((out / "summary.json").read_text())
    first = summary["per_rank"][0]["phases_s"]
    return {phase: 1e6 * first[phase] / summary["steps"] for phase in COMPARED}


def dry_run_beside_another() -> dict[str, float]:
    """Microseconds of a step in each phase, of the first rank of two, while the second one is tried, too."""
    program = str(Path(sys.executable).parent / "hpcsnn")
    asked = [program, "dry-run", "topomap", "--set", f"scale={SCALES[2]}", "--ranks", "2", "--json"]
    asked += ["--warm-up", "0.1ms", "--duration", f"{REAL_MS}ms"]
    both = [
        subprocess.Popen([*asked, "--rank", rank], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for rank in ("0", "1")
    ]
    first, _ = (process.communicate()[0] for process in both)
    found: dict[str, float] = json.loads(first)["phases_us_per_step"]
    return found


def main() -> None:
    """Measure, and write ``results/dry_runs.json`` and ``.md``."""
    rounds = [{ranks: dry_run(ranks) for ranks in RANKS} for _ in range(ROUNDS)]
    pairs = [(real_run(), dry_run_beside_another()) for _ in range(ROUNDS)]
    middle: dict[int, dict[str, float]] = {}
    for ranks in RANKS:
        of_ranks = [one[ranks] for one in rounds]
        middle[ranks] = {
            name: statistics.median(one[name] for one in of_ranks) for name, value in of_ranks[0].items()
            if isinstance(value, (int, float))
        }  # fmt: skip
    phases = {phase: [statistics.median(one[at][phase] for one in pairs) for at in (0, 1)] for phase in COMPARED}
    for phase in COMPARED:  # the machine's pace changes from minute to minute: what is compared is each pair
        phases[phase].append(statistics.median(dry[phase] / real[phase] for real, dry in pairs))
    about = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "hpcsnn": __version__,
        "processor": processor(),
        "command": "python -m scaling.dry_runs",
    }
    results = {"about": about, "dry_runs": rounds, "two_ranks": pairs}
    (RESULTS / "dry_runs.json").write_text(json.dumps(results, indent=1) + "\n")
    lines = [
        "# A rank of very many, by itself",
        "",
        f"{about['processor']}, hpcsnn {__version__}, {about['date'][:10]}: `{about['command']}`. The map with 4,096 "
        "neurons of each layer a rank (the busiest rank of one has as many),",
        f"medians of {ROUNDS} dry runs, in turn. Nobody is waited for, and no words are brought.",
        "",
        "| ranks | neurons | others' sources | processor time of a step (us) | set-up (s) | memory (MB) | neighbours |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {ranks:,} | {one['neurons']:,.0f} | {one['known_sources']:,.0f} | {one['cpu_us_per_step']:.2f} | "
        f"{one['setup_s']:.2f} | {one['memory_bytes'] / 1e6:.0f} | {one['neighbours']:.0f} |"
        for ranks, one in middle.items()
    ]
    lines += [
        "",
        "The first rank of two, run for real and by itself, in turn, both processors busy: us of a step, medians, and",
        "the median over pairs of dry run / real.",
        "",
        "| phase | real | dry run | dry run / real |",
        "|---|---|---|---|",
        *(f"| {phase} | {real:.2f} | {dry:.2f} | {ratio:.2f} |" for phase, (real, dry, ratio) in phases.items()),
    ]
    (RESULTS / "dry_runs.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
