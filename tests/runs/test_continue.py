"""``run --continue``: one command that begins a run, goes on with it, and leaves one that is done alone."""

from __future__ import annotations

import shutil

from hpcsnn.storage.checkpoints import committed
from support.ranks import hpcsnn
from support.runs import PLAIN, RECORD, assert_same_run, succeeds

RUN = ("run", "topomap", *RECORD, *PLAIN, "--checkpoint-every", "100ms")


def test_it_begins_goes_on_and_leaves_alone_what_is_done(tmp_path):
    run, straight = tmp_path / "run", tmp_path / "straight"
    for duration_ms, ranks in ((200, 1), (400, 2)):
        succeeds(*RUN, "--set", f"duration_ms={duration_ms}", "--continue", "--out", run, ranks=ranks)
    done = succeeds(*RUN, "--set", "duration_ms=400", "--continue", "--out", run)
    assert "complete at 0.4 s: nothing to do" in " ".join(done.stdout.split())
    succeeds(*RUN, "--set", "duration_ms=400", "--out", straight)
    assert_same_run(run, straight)
    assert [one.step for one in committed(run)] == [2000, 3000, 4000]


def test_what_has_no_checkpoint_begins_anew_and_another_run_is_refused(tmp_path):
    run = tmp_path / "run"
    short = [*RUN, "--set", "duration_ms=100", "--continue", "--out", run]
    succeeds(*short)
    shutil.rmtree(run / "checkpoints")
    succeeds(*short)
    assert committed(run)[-1].step == 1000
    for words, said in (
        (["--set", "seed=2"], "seed: 2 is not allowed with --continue; the run in"),
        (["--overwrite"], "--continue: is not allowed with --overwrite or --from"),
    ):
        done = hpcsnn(*short, *words)
        assert done.returncode == 2
        assert said in " ".join(done.stderr.split())
