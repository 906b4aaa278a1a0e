"""What several modules of jobs need: a Slurm."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from support.slurm_lab import SlurmLab


@pytest.fixture(scope="module")
def lab():
    """A Slurm of two nodes, for one module."""
    with tempfile.TemporaryDirectory(prefix="hpcsnn-slurm-") as folder:
        lab = SlurmLab(Path(folder), nodes=2, cpus=4)
        try:
            lab.start()
            yield lab
        finally:
            lab.stop()
