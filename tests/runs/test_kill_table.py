"""Every command killed at every change that it makes to the run directory: nothing committed is lost, all can go on."""

from __future__ import annotations

import re
import shutil
from collections import Counter

import pytest

from hpcsnn.storage.checkpoints import committed
from support.processes import until
from support.runs import PLAIN, digest_of_run

END_MS = 20
STEPS = [0, 100, 200]
EVERY = ["--set", f"duration_ms={END_MS}", "--set", "projections.ff.record_events=true", "--checkpoint-every", "10ms"]
RUN = ["run", "topomap", *EVERY, "--keep", "9", *PLAIN, "--out"]
# Name -> the state that a command begins with, and the command; {run} is the run directory.
TABLE = {
    "run": (None, [*RUN, "{run}"]),
    "overwrite": ("other", [*RUN, "{run}", "--overwrite"]),
    "resume": ("half", ["resume", "{run}", "--until", f"{END_MS}ms", *PLAIN]),
    "from": ("whole", ["resume", "{run}", "--from", "0", *PLAIN]),
    "shorter": ("whole", ["resume", "{run}", "--from", "100", "--until", "10ms", *PLAIN]),
    "analyze": ("whole", ["analyze", "{run}"]),
    "submit": (None, ["submit", "topomap", *EVERY[:4], "--cluster", "local", "--out", "{run}"]),
}
# What is tried each time; with -m slow, every change is.
MOMENTS = [
    ("run", "os.rename config.yaml", 1),
    ("overwrite", "os.rename config.yaml", 1),
    ("resume", "os.rename checkpoints/0000000200.json", 1),
    ("from", "os.remove checkpoints/0000000200.json", 1),
    ("shorter", "os.remove checkpoints/0000000200.json", 1),
    ("resume", "open progress.jsonl", 2),
    ("submit", "open job/.plan.json", 1),
]
# Within these, one change is like another: of so many, one is tried.
_INSIDE = re.compile(r"\.zarr(\.partial)?/|analysis\.partial/|^os.mkdir .*\.partial$|figures/")
_ONE_OF = 40
PARTS = 12


@pytest.fixture(scope="module")
def states(hpcsnn, tmp_path_factory):
    """Runs to begin with, by name: of another seed, half as long, and whole."""
    folder = tmp_path_factory.mktemp("states")
    for name, more in (
        ("other", ["--set", "seed=2"]),
        ("half", ["--set", f"duration_ms={END_MS / 2:g}"]),
        ("whole", []),
    ):
        assert hpcsnn(*RUN, folder / name, *more).code == 0
    assert [one.step for one in committed(folder / "whole")] == STEPS
    return folder


class Killed:
    """A command that was killed, and what may be asked of the run directory that it left."""

    def __init__(self, hpcsnn, states, name, run):
        self.hpcsnn, self.states, self.name, self.run = hpcsnn, states, name, run
        self.begins, self.arguments = TABLE[name][0], [text.format(run=run) for text in TABLE[name][1]]
        if self.begins is not None:
            shutil.copytree(states / self.begins, run, symlinks=True)
        self.before = self.manifests()

    def manifests(self):
        """By step; of a step whose checkpoint is just being replaced, the old one, which `resume` puts back."""
        replaced = (self.run / "checkpoints").glob("*.replaced.json")
        between = {int(path.name.split(".")[0]): path.read_bytes() for path in replaced}
        return between | {one.step: one.manifest_path.read_bytes() for one in committed(self.run)}

    def kill(self, change=None, time=1, after=False):
        last = None if change is None else (change, time)
        return self.hpcsnn(*self.arguments, folder=self.run, last=last, after=after, stand_in_for_submit=True)

    def asks(self, *arguments, allowed=(0, 2)):
        done = self.hpcsnn(*arguments, stand_in_for_submit=True)
        assert done.code in allowed, (arguments, done.said)
        assert "Traceback" not in done.said, (arguments, done.said)
        if done.code == 2:
            assert done.said.startswith("error: ") or "\nerror: " in done.said, (arguments, done.said)
        return done

    def loses_nothing(self):
        for checkpoint in committed(self.run):
            checkpoint.verify()
        if self.name != "overwrite":
            now = self.manifests()
            assert self.before.items() <= now.items() or now.items() - self.before.items() or self.name == "shorter"
            assert not self.before or now

    def is_submitted_again(self):
        """As soon as what was killed cannot be about to submit it any more."""

        def resumed():
            done = self.asks("resume", self.run, "--cluster", "local")
            assert done.code == 0 or "its job is queued; hpcsnn cancel" in done.said
            return done.code == 0

        until(resumed, limit_s=30)

    def can_be_gone_on_with(self):
        for command in ("info", "verify", "digest"):
            self.asks(command, self.run)
        if self.name == "submit":
            again = self.asks(*self.arguments)
            if again.code:
                assert (
                    f"a job was submitted here already; give another --out, or hpcsnn resume {self.run}" in again.said
                )
                self.is_submitted_again()
            return
        until = ["--until", "10ms"] if self.name == "shorter" else ["--until", f"{END_MS}ms"]
        resumed = self.asks("resume", self.run, *until, *PLAIN)
        if self.name == "shorter" and resumed.code:
            assert "duration_ms: 10 is not allowed; the checkpoint is at 20 ms already" in resumed.said
            resumed = self.asks("resume", self.run, *until, "--from", "100", *PLAIN, allowed=(0,))
        if self.name == "overwrite" or resumed.code:
            assert self.name in ("run", "overwrite"), resumed.said
            fresh = self.asks(*RUN, self.run)
            if fresh.code:
                assert "holds a run already, which is kept; give another --out, or --overwrite" in fresh.said
                self.asks(*RUN, self.run, "--overwrite", allowed=(0,))
        self.asks("verify", self.run, allowed=(0,))
        expected = digest_of_run(self.states / ("half" if self.name == "shorter" else "whole"))
        assert self.asks("digest", self.run, allowed=(0,)).said.split()[0] == expected
        left = [
            path.name for path in (self.run / "checkpoints").iterdir() if not re.fullmatch(r"\d{10}\.\w+", path.name)
        ]
        assert left == []


def tried(hpcsnn, states, name, run, change, time, after):
    killed = Killed(hpcsnn, states, name, run)
    done = killed.kill(change, time, after)
    assert done.code == -9, f"{name} made no change {change!r} for the {time}th time: {done.said}"
    killed.loses_nothing()
    killed.can_be_gone_on_with()


@pytest.mark.parametrize(("name", "change", "time"), MOMENTS)
def test_killed_at_a_change_that_matters(name, change, time, hpcsnn, states, tmp_path):
    tried(hpcsnn, states, name, tmp_path / "run", change, time, after=change.startswith("open"))


@pytest.fixture(scope="module")
def moments(hpcsnn, states, tmp_path_factory):
    """Of each command all its changes, of those within arrays some: (change, time, after)."""
    found = {}
    for name in TABLE:
        killed = Killed(hpcsnn, states, name, tmp_path_factory.mktemp("counted") / "run")
        done = killed.kill()
        assert done.code == 0, done.said
        times, inside, chosen = Counter(), 0, []
        for change in done.changes:
            times[change] += 1
            if _INSIDE.search(change):
                inside += 1
                if inside % _ONE_OF:
                    continue
            chosen.append((change, times[change], False))
            if change.startswith("open"):
                chosen.append((change, times[change], True))
        found[name] = chosen
    return found


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", TABLE)
def test_killed_at_every_change(name, part, moments, hpcsnn, states, tmp_path):
    """What threads do in another order, or the clock for progress.json, may not come again: then it is a whole run."""
    for number, (change, time, after) in enumerate(moments[name][part::PARTS]):
        killed = Killed(hpcsnn, states, name, tmp_path / str(number))
        killed.kill(change, time, after)
        killed.loses_nothing()
        killed.can_be_gone_on_with()
        shutil.rmtree(killed.run, ignore_errors=True)
