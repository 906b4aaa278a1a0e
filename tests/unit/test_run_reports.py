"""Summaries and progress that somebody changed: each value is of its kind, or told with its field."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from hpcsnn.cli.tables.of_jobs import jobs_table, run_view
from hpcsnn.jobs.run_index import read_run
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.run_reports import exchange_shares, progress_of, summary_of

SUMMARY = {
    "completed": True, "stopped_by": None, "digest": "ab", "steps": 100, "ranks": 2, "model_s": 0.01, "wall_s": 0.5,
    "wall_per_model_s": 50.0, "populations": {"a": {"size": 4, "rate_hz": 1.5}}, "projections": {"ab": {"synapses": 3}},
    "imbalance": 1.25, "per_rank": [{"propagation_s": 0.5, "phases_s": {"neurons": 0.25, "exchange_wait": 0.125}}] * 2,
}  # fmt: skip
PROGRESS = {
    "updated": 1.7e9, "step": 5, "model_s": 0.5, "end_s": 1.0, "speed": 2.0, "left_s": 0.25, "synapses": 7,
    "rates_hz": {"a": 1.5},
}  # fmt: skip
FIELDS = [(summary_of, SUMMARY, field) for field in SUMMARY] + [(progress_of, PROGRESS, field) for field in PROGRESS]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3)
)


def test_what_a_run_writes_is_read_as_it_is():
    assert summary_of(json.dumps(SUMMARY)) == SUMMARY
    assert progress_of(json.dumps(PROGRESS)) == PROGRESS
    assert summary_of(json.dumps(SUMMARY | {"of a later version": [1]}))["of a later version"] == [1]


@pytest.mark.parametrize(("read", "whole", "field"), FIELDS)
@pytest.mark.parametrize("value", [[], ["x"], {"a": []}, 10**400, float("nan"), float("inf"), "x" * 10**4, True])
def test_a_value_of_another_kind_is_told_with_its_field(read, whole, field, value):
    kinds = {type(whole[field]), *([str] if field == "stopped_by" else [])}
    if type(value) in kinds and value == value and value != float("inf") and value != {"a": []}:
        return
    with pytest.raises(ValueError, match=r"10{400}|1000000|^" + field) as error:
        read(json.dumps(whole | {field: value}))
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "of_rank",
    [
        3,
        {},
        {"propagation_s": 1.0},
        {"propagation_s": "x", "phases_s": {}},
        {"propagation_s": 1, "phases_s": {"a": []}},
    ],
)
def test_what_a_rank_measured_has_its_seconds(of_rank):
    good = SUMMARY["per_rank"]
    with pytest.raises(ValueError, match=r"^per_rank: .* is not allowed; must be a list of what ranks measured$"):
        summary_of(json.dumps(SUMMARY | {"per_rank": [*good, of_rank]}))


def test_shares_of_the_exchange_are_of_the_time_of_all_ranks():
    first, second = {"exchange_wait": 0.0, "exchange_transfer": 1.0, "neurons": 2.0}, {"exchange_wait": 0.5}
    per_rank = [{"propagation_s": 3.0, "phases_s": first}, {"propagation_s": 1.0, "phases_s": second}]
    assert exchange_shares({"per_rank": per_rank}) == {"wait": 0.125, "transfer": 0.25, "accept": 0.0}
    assert exchange_shares({"per_rank": per_rank[:1]}) == exchange_shares({}) == {}, "one rank; an earlier version"


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "{}", "[" * 100_000, '{"digest": "\\ud800"'])
def test_what_is_no_report_is_told(text):
    for read in (summary_of, progress_of):
        with pytest.raises(ValueError, match=r"is no|nested|Expecting|delimiter|: "):
            read(text)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    run.mkdir()
    (run / "config.yaml").write_text("seed: 1\n")
    return run


@given(field=st.sampled_from([field for _, _, field in FIELDS]), value=VALUES)
@example(field="left_s", value=1e308)
@example(field="wall_per_model_s", value=5e-324)
@example(field="end_s", value=5e-324)
@example(field="model_s", value=-1e300)
@example(field="steps", value=-(2**63))
def test_whatever_they_say_runs_are_shown(field, value, run):
    """As `hpcsnn jobs`, `watch` and `info` show them."""
    from hpcsnn.cli.facts.stored import holdings_of
    from hpcsnn.cli.tables.of_runs import print_checkpoints

    for name, whole in (("summary", SUMMARY), ("progress", PROGRESS)):
        (run / f"{name}.json").write_text(json.dumps(whole | ({field: value} if field in whole else {})))
    entry = read_run(run)
    shown = Console(file=io.StringIO(), width=120)
    shown.print(jobs_table([entry], run.parent))
    shown.print(run_view(entry, 120))
    assert str(run) in shown.file.getvalue().replace("\n", "")
    print_checkpoints(holdings_of(run))
    assert RunDirectory(run).check_run() is None


def test_info_says_how_balanced_ranks_were(run, capsys):
    from hpcsnn.cli.facts.stored import holdings_of
    from hpcsnn.cli.tables.of_runs import print_checkpoints

    (run / "summary.json").write_text(json.dumps(SUMMARY))
    held = holdings_of(run)
    assert (held["imbalance"], held["per_rank"]) == (1.25, SUMMARY["per_rank"])
    print_checkpoints(held)
    said = " ".join(capsys.readouterr().out.split())
    assert "busiest rank 1.25 x the mean; of the time 25 % waiting for other ranks, 0 % transfer" in said
    (run / "summary.json").write_text(json.dumps({**SUMMARY, "imbalance": None, "per_rank": []}))
    print_checkpoints(holdings_of(run))
    assert "busiest" not in capsys.readouterr().out
