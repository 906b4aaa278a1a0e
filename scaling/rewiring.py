"""What rewiring costs: its share of a long run, a rule from a user's file beside the built-in one, an earlier hpcsnn.

``python -m scaling.rewiring`` writes `scaling/results/rewiring_cpu.json`; ``--before CHECKOUT`` also times another
checkout, run by run in turn, so that both see the same noise.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "scaling" / "results" / "rewiring_cpu.json"
# The built-in rule as a user would write it.
USER_RULE = """
from dataclasses import replace
from hpcsnn.models import Bamford

Mine = replace(Bamford, name="mine")
"""
_ONE_RUN = """
import json, sys
from hpcsnn import Simulation
from hpcsnn.configuration.files import load_configuration
scale, duration_ms, *settings = sys.argv[1:]
configuration = load_configuration("topomap", [f"scale={scale}", *settings])
simulation = Simulation(configuration.network(), None, "cpu", configuration.tile)
simulation.run(float(duration_ms))
seconds = float(duration_ms) * 1e-3
print(json.dumps({"wall": simulation.advance_s / seconds, "rewiring": simulation.phase_seconds["rewiring"] / seconds,
                  "device": simulation.device.name}))
"""


def one(checkout: Path, scale: int, duration_ms: float, *settings: str) -> dict[str, Any]:
    """Seconds of wall time and of rewiring per model second, in a process of its own."""
    command = [sys.executable, "-c", _ONE_RUN, str(scale), str(duration_ms), *settings]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=checkout, env=environment)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def paired(first: Any, second: Any, repeats: int) -> dict[str, Any]:
    """Both, in turn: medians, and the median of the ratios second / first, of wall time and of rewiring."""
    runs = [(first(), second()) for _ in range(repeats)]
    return {
        name: {
            "first": statistics.median(a[name] for a, _ in runs),
            "second": statistics.median(b[name] for _, b in runs),
            "ratio": statistics.median(b[name] / a[name] for a, b in runs),
            "ratios": [round(b[name] / a[name], 3) for a, b in runs],
        }
        for name in ("wall", "rewiring")
    }


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="pairs of runs (default 5)")
    parser.add_argument("--share-ms", type=float, default=60_000.0, help="model time of the run at scale 7, in ms")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier hpcsnn to compare with")
    arguments = parser.parse_args()
    long = one(ROOT, 7, arguments.share_ms)
    result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": "python -m scaling.rewiring" + (" --before CHECKOUT" if arguments.before else ""),
        "device": long["device"],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("hpcsnn", "numpy")},
        "share_at_scale_7": {"model_s": arguments.share_ms * 1e-3, **long, "share": long["rewiring"] / long["wall"]},
    }
    print(
        f"scale 7, {arguments.share_ms * 1e-3:g} s: rewiring: {100 * long['rewiring'] / long['wall']:.2f} % of the run"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mine.py"
        file.write_text(USER_RULE)
        values = {"ff": "{p_max: 0.16, sigma: 2.5}", "lat": "{p_max: 1.0, sigma: 1.0}"}
        mine = [f"projections.{name}.rewiring={{{file}:Mine: {value}}}" for name, value in values.items()]
        compared = paired(lambda: one(ROOT, 4, 10_000), lambda: one(ROOT, 4, 10_000, *mine), arguments.repeats)
    result["user_file_against_built_in_at_scale_4"] = compared
    print(f"a user's file against the built-in rule: {compared['wall']['ratio']:.3f} of the time")
    if arguments.before:
        for scale, duration_ms in ((1, 60_000), (2, 30_000), (7, 3_000)):
            name = f"now_against_before_at_scale_{scale}"
            result[name] = paired(
                lambda s=scale, d=duration_ms: one(arguments.before.resolve(), s, d),
                lambda s=scale, d=duration_ms: one(ROOT, s, d),
                arguments.repeats,
            )
            ratios = {part: round(result[name][part]["ratio"], 3) for part in ("wall", "rewiring")}
            print(f"scale {scale}, now against before: {ratios}")
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
