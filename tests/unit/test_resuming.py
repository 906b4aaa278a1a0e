"""From which checkpoint a run goes on, what may have changed since, and that choosing it removes nothing."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import yaml

from hpcsnn.configuration.files import load_configuration
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.runs.resuming import MAY_CHANGE, prepare_resume
from hpcsnn.storage.checkpoints import checksums, commit, committed, files_below
from hpcsnn.storage.records import segment_name
from hpcsnn.storage.run_directory import RunDirectory

STEPS = (100, 200, 300)


def checkpointed(directory, resolved, step, segments):
    partial = directory.checkpoints / f"{step}.partial"
    partial.mkdir(parents=True)
    (partial / "state").write_text(f"at {step}")
    for name in segments:
        (directory.records / name).mkdir(parents=True, exist_ok=True)
        (directory.records / name / "spikes").write_text(name)
    records = checksums(directory.records, files_below(directory.records))
    checkpoint = commit(directory.path, step, partial, {}, resolved, list(segments), records)
    directory.link_network(checkpoint.network_path)


@pytest.fixture
def run(tmp_path):
    """A run of 50 ms with checkpoints at 10, 20 and 30 ms and a segment of records for each."""
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    configuration = load_configuration("topomap", ["duration_ms=50", "checkpoint_every=10ms"])
    directory.write_configuration(configuration)
    segments = []
    for step in STEPS:
        segments.append(segment_name(step - 100, step))
        checkpointed(directory, configuration.resolved(), step, segments)
    return directory


def damage(run, step):
    (checkpoint,) = (one for one in committed(run.path) if one.step == step)
    (checkpoint.network_path / "state").write_text("no")


def rewrite(run, **changes):
    configuration = yaml.safe_load(run.configuration.read_text())
    run.configuration.write_text(yaml.safe_dump({**configuration, **changes}, sort_keys=False))


def test_keys_that_are_newer_than_the_checkpoint_have_their_defaults(run):
    """A run that was written before a key was known goes on with the default, and with nothing else."""
    resolved = load_configuration(run.configuration).resolved()
    assert resolved["projections"]["ff"].pop("dendritic_delay_ms") == 0
    checkpointed(run, resolved, 400, [segment_name(step - 100, step) for step in STEPS])
    assert prepare_resume(run, None, None).checkpoint.step == 400
    projections = yaml.safe_load(run.configuration.read_text())["projections"]
    projections["ff"]["dendritic_delay_ms"] = 1.0
    rewrite(run, projections=projections)
    with pytest.raises(
        ConfigurationError, match=r"^projections\.ff\.dendritic_delay_ms: 0\.0 in the checkpoint, 1\.0 in"
    ):
        prepare_resume(run, None, None)


def test_the_newest_checkpoint_is_taken_and_nothing_removed(run):
    plan = prepare_resume(run, None, None)
    assert (plan.checkpoint.step, plan.warnings) == (300, [])
    assert plan.configuration.duration_ms == 50
    assert plan.manifest == plan.checkpoint.manifest()
    assert [one.step for one in committed(run.path)] == list(STEPS)


def test_damaged_ones_are_passed_over_with_a_word_for_each(run):
    damage(run, 300)
    damage(run, 200)
    plan = prepare_resume(run, None, None)
    assert plan.checkpoint.step == 100
    assert len(plan.warnings) == 2
    for step, warning in zip((300, 200), plan.warnings, strict=True):
        assert f"{step:010d}.zarr" in warning
        assert "; going on from step 100 instead; once there is a new checkpoint, this one is set aside as " in warning
        assert warning.endswith(f"{step:010d}.unreadable.*")
    assert [one.step for one in plan.unreadable] == [200, 300]
    assert plan.replaced == []
    assert [one.step for one in committed(run.path)] == list(STEPS), "nothing goes before there is a new one"
    assert (run.network / "state").read_text() == "no", "nor is another one the newest"
    damage(run, 100)
    with pytest.raises(StorageError, match="no checkpoint of this run is whole: start it again"):
        prepare_resume(run, None, None)


def contents(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_lies_beyond_the_checkpoint_is_named_and_stays(run):
    (run.records / segment_name(300, 400)).mkdir()  # written, but never committed
    before = contents(run.path)
    plan = prepare_resume(run, None, 100)
    assert plan.checkpoint.step == 100
    assert plan.warnings == [
        "--from 100: checkpoints of later steps (200, 300) stay until there is a new one, which replaces them"
    ]
    assert [one.step for one in plan.replaced] == [200, 300]
    assert plan.unreadable == []
    assert contents(run.path) == before
    assert (run.network / "state").read_text() == "at 300"


def test_of_what_lies_beyond_only_what_can_be_read_is_replaced(run):
    for one in committed(run.path)[1:]:
        one.manifest_path.write_text(one.manifest_path.read_text().replace('"version": 2', f'"version": {one.step}'))
    damage(run, 200)
    plan = prepare_resume(run, None, 100)
    assert ([one.step for one in plan.unreadable], plan.replaced) == ([200, 300], [])


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.ESTALE])
@pytest.mark.parametrize("name", ["0000000300.json", "state", "spikes", "checkpoints"])
def test_an_error_of_the_system_is_no_damage(name, number, run, monkeypatch):
    before = contents(run.path)
    read, opened, listed = Path.read_bytes, Path.open, Path.iterdir

    def refused(call):
        def tried(path, *more, **named):
            if path.name == name:
                raise OSError(number, os.strerror(number), str(path))
            return call(path, *more, **named)

        return tried

    monkeypatch.setattr(Path, "read_bytes", refused(read))
    monkeypatch.setattr(Path, "open", refused(opened))
    monkeypatch.setattr(Path, "iterdir", refused(listed))
    for from_step in (None, 300):
        with pytest.raises(StorageError) as error:
            prepare_resume(run, None, from_step)
        assert f"{name}: the system cannot read it now ({os.strerror(number)}), which says nothing of what" in str(
            error.value
        )
    monkeypatch.undo()
    assert contents(run.path) == before


@pytest.mark.parametrize("link", [None, "checkpoints/0000000200.zarr", "/elsewhere/checkpoints/0000000300.zarr"])
def test_the_network_names_the_newest_again(link, run):
    run.network.unlink()
    if link is not None:
        run.network.symlink_to(link)
    plan = prepare_resume(run, None, None)
    assert plan.warnings == [f"{run.network}: names the newest checkpoint again, checkpoints/0000000300.zarr"]
    assert (run.network / "state").read_text() == "at 300"
    assert prepare_resume(run, None, None).warnings == []


def test_a_copy_that_followed_links_is_mended_at_the_start(run):
    for end in ("", "-2"):
        run.network.unlink()
        run.network.mkdir()
        (run.network / "state").write_text("copied")
        (warning,) = prepare_resume(run, None, None).warnings
        assert "; it was no link, as in copies that followed it, and is set aside as network.copied.zarr: " in (warning)
        assert (run.path / f"network.copied.zarr{end}" / "state").read_text() == "copied"
        assert (run.network / "state").read_text() == "at 300"


def test_a_run_at_its_end_has_nothing_to_do(run):
    summary = {"completed": True, "steps": 300, "digest": "x"}
    run.write_summary(summary)
    assert prepare_resume(run, 30.0, None).summary == summary
    assert prepare_resume(run, None, None).summary is None, "its end is later"
    assert prepare_resume(run, 20.0, 200).summary is None, "there are later ones, which are not wanted"
    for other in ({**summary, "steps": 200}, {**summary, "completed": False}, [], {}):
        run.summary.write_text(json.dumps(other))
        assert prepare_resume(run, 30.0, None).summary is None
    run.summary.write_text("{")
    assert prepare_resume(run, 30.0, None).summary is None


def test_a_replacement_that_was_not_finished_is_undone_first(run):
    committed(run.path)[-1].make_way()
    assert [one.step for one in committed(run.path)] == [100, 200]
    assert prepare_resume(run, None, None).checkpoint.step == 300


@pytest.mark.parametrize(
    ("broken", "asked", "said"),
    [
        ((), 250, "no checkpoint of step 250; there: 100, 200, 300"),
        ((300,), 300, "; an older checkpoint may serve: --from 100 or --from 200"),
        ((100,), 100, "; no older checkpoint is kept"),
    ],
)
def test_a_step_that_cannot_be_gone_on_from_says_what_can(broken, asked, said, run):
    for step in broken:
        damage(run, step)
    with pytest.raises(StorageError) as error:
        prepare_resume(run, None, asked)
    assert str(error.value).endswith(said)
    assert [one.step for one in committed(run.path)] == list(STEPS), "nothing is removed for it"


def test_a_run_without_checkpoints_has_nothing_to_resume_from(run):
    for checkpoint in committed(run.path):
        checkpoint.remove()
    with pytest.raises(StorageError, match="no checkpoint to resume from; run it again with --checkpoint-every"):
        prepare_resume(run, None, None)


CHANGED = {
    "description": "longer", "duration_ms": 70, "tile": 4, "exchange": "allgather", "exchange_block": 7,
    "checkpoint_every": "1min-wall", "checkpoint_keep": 9,
}  # fmt: skip


def test_how_a_run_is_carried_out_may_change(run):
    assert set(CHANGED) == set(MAY_CHANGE)
    rewrite(run, **CHANGED)
    plan = prepare_resume(run, 80.0, None)
    assert (plan.configuration.duration_ms, plan.configuration.tile) == (80.0, 4)


@pytest.mark.parametrize(
    ("changes", "field", "before", "now"),
    [
        ({"seed": 2}, "seed", 1, 2),
        ({"dt_ms": 0.05}, "dt_ms", 0.1, 0.05),
        ({"scale": 2}, "scale", 1, 2),
    ],
)
def test_what_a_run_computes_may_not(changes, field, before, now, run):
    rewrite(run, **changes)
    with pytest.raises(ConfigurationError) as error:
        prepare_resume(run, None, None)
    assert str(error.value).startswith(f"{field}: {before!r} in the checkpoint, {now!r} in {run.configuration}; ")


def test_nor_may_anything_within_a_model_or_what_is_declared(run):
    configuration = yaml.safe_load(run.configuration.read_text())
    synapse = configuration["projections"]["ff"]["synapse"]["additive_stdp"]
    synapse["tau_plus_ms"] = 21.0
    rewrite(run, projections=configuration["projections"])
    with pytest.raises(ConfigurationError, match=r"^projections\.ff\.synapse\.additive_stdp\.tau_plus_ms: 20\.0 in th"):
        prepare_resume(run, None, None)
    synapse["tau_plus_ms"] = 20.0
    del configuration["projections"]["lat"]
    rewrite(run, projections=configuration["projections"])
    with pytest.raises(ConfigurationError, match=r"^projections\.lat: \{.* in the checkpoint, None in "):
        prepare_resume(run, None, None)


@pytest.mark.parametrize("kind", ["populations", "projections"])
def test_the_order_of_declaration_may_not_change_since_it_numbers_random_numbers(kind, run):
    there = yaml.safe_load(run.configuration.read_text())[kind]
    rewrite(run, **{kind: dict(reversed(there.items()))})
    with pytest.raises(ConfigurationError) as error:
        prepare_resume(run, None, None)
    names = list(there)
    assert str(error.value).startswith(f"{kind}, in order: {names!r} in the checkpoint, {names[::-1]!r} in ")


def test_a_run_does_not_end_before_its_checkpoint(run):
    with pytest.raises(ConfigurationError, match=r"^duration_ms: 25 is not allowed; the checkpoint is at 30 ms alr"):
        prepare_resume(run, 25.0, None)
    assert prepare_resume(run, 30.0, None).checkpoint.step == 300, "its end is allowed"
    assert prepare_resume(run, 25.0, 200).checkpoint.step == 200
