"""`hpcsnn run` of what does not fit into memory: words and an exit code, and nothing left behind."""

from __future__ import annotations

import re
import shlex

from support.processes import completed
from support.ranks import hpcsnn_command

LARGE = """\
populations:
  a: {grid: [2000, 2000], model: poisson}
  b: {grid: [2000, 2000], model: lif}
projections:
  ab: {source: a, target: b, connector: all_to_all, receptor: delta_current, weight: 0.1}
"""


LONG = """\
extends: evidence_accumulation
data: {evidence_accumulation: {delay_ms: 2.0e+7, noise_hz: 0.0, train_samples: 2, test_samples: 2}}
"""


def test_a_training_beyond_the_processs_limit_is_refused(tmp_path):
    """Samples of 20 million steps: what a hundred hidden neurons keep of each."""
    (tmp_path / "long.yaml").write_text(LONG)
    command = shlex.join(hpcsnn_command("train", "long.yaml", "--device", "cpu", "--out", "run"))
    done = completed(["sh", "-c", f"ulimit -v 6000000; exec {command}"], cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    said = (
        r"error: memory: rank 0 would need about \d+(\.\d+)? GB, and its limit \(ulimit -v\) has [345]\.\d+ GB left; "
        r"use window_steps, fewer ranks on a node, ranks that share a network \(ranks_per_network\), fewer synapses, "
        r"or shorter samples"
    )
    assert re.match(said, done.stderr), done.stderr
    assert not (tmp_path / "run").exists()


def test_a_network_beyond_the_processs_limit_is_refused(tmp_path):
    (tmp_path / "large.yaml").write_text(LARGE)
    command = shlex.join(hpcsnn_command("run", "large.yaml", "--device", "cpu", "--out", "run"))
    done = completed(["sh", "-c", f"ulimit -v 3000000; exec {command}"], cwd=tmp_path)
    assert done.returncode == 1
    said = r"error: memory: rank 0 would need about 336 TB, and its limit \(ulimit -v\) has [12]\.\d+ GB left; use more"
    assert re.match(said, done.stderr), done.stderr
    assert not (tmp_path / "run").exists()
