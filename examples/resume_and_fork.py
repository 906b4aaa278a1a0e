"""Resume and fork: a run goes on from a checkpoint as if it had never stopped, and a copy of it to another end.

It does in Python what `hpcsnn run`, `hpcsnn resume` and `cp -r` do at the terminal, in the folder runs/:

    $ python examples/resume_and_fork.py
"""

import shutil
from pathlib import Path

from hpcsnn.configuration.files import load_configuration
from hpcsnn.runs.experiment import Setting, resume_experiment, run_experiment

runs, setting = Path("runs"), Setting(device="cpu", figures=False)


def topomap(duration_ms):
    """The map that ships, up to a given end, with a checkpoint every 500 ms of model time."""
    return load_configuration("topomap", [f"duration_ms={duration_ms}", "checkpoint_every=500ms"])


# What to compare with: 2 s of model time in one go. Then the same with a stop at 1 s.
straight = run_experiment(topomap(2000), runs / "straight", setting, overwrite=True)
run_experiment(topomap(1000), runs / "stopped", setting, overwrite=True)
shutil.rmtree(runs / "fork", ignore_errors=True)
shutil.copytree(runs / "stopped", runs / "fork", symlinks=True)  # network.zarr is a link to the newest checkpoint

# The one goes on to 2 s; the copy goes back to the checkpoint of step 5,000, and from there to an end of its own.
resumed = resume_experiment(runs / "stopped", setting, until_ms=2000)
forked = resume_experiment(runs / "fork", setting, until_ms=1500, from_step=5000)

for name, summary in (("straight", straight), ("resumed", resumed), ("forked", forked)):
    print(f"{name:8}  from step {summary['resumed_from_step']:5} to {summary['steps']}  {summary['digest'][:16]}")
