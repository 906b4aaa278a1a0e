"""A run whose neurons differ, stopped and resumed on other ranks."""

from __future__ import annotations

import yaml

from support.networks import driven_configuration
from support.runs import PLAIN, digest_of_run, succeeds


def test_a_run_stopped_and_resumed_on_other_ranks_is_the_same_run(tmp_path):
    own, straight, pieces = tmp_path / "my.yaml", tmp_path / "straight", tmp_path / "pieces"
    own.write_text(yaml.safe_dump(driven_configuration(), sort_keys=False))
    succeeds("run", own, "--out", straight, *PLAIN)
    succeeds("run", own, "--set", "duration_ms=17.3", "--set", "tile=4", "--out", pieces, *PLAIN, ranks=2)
    succeeds("resume", pieces, "--until", "50ms", *PLAIN)
    assert digest_of_run(straight) == digest_of_run(pieces)
