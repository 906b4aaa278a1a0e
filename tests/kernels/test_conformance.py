"""Rules that break a promise are caught by the tests that come with hpcsnn."""

from __future__ import annotations

import dataclasses

import pytest

from hpcsnn import DeviceError
from hpcsnn.errors import SimulationError
from hpcsnn.models import RewiringRule
from hpcsnn.testing.conformance import RuleConformance


def conformance(per_target, **more):
    tested = RewiringRule("bad", "", per_target=per_target, proposals=2, initial="0.1f", **more)
    return type("Tested", (RuleConformance,), {"rule": tested(), "duration_ms": 20.0})()


COMES = "row.propose((int)(random() & 255u)); row.propose((int)(random() & 255u));"


def test_a_rule_that_depends_on_the_order_of_rows_is_caught():
    by_place = conformance(COMES + "if (row.size() > 4) row.remove(2);")
    by_place.test_tiles_do_not_matter()
    with pytest.raises(AssertionError):
        by_place.test_a_restart_does_not_matter()


@pytest.mark.parametrize(
    "text",
    [
        "if (projection.source[0] & 1) row.remove(0);",
        "row.remove(row.source(0));",
        "row.remove(row.at(0));",
        "if (target & 1) row.remove(0);",
        "if (row.target & 1) row.remove(0);",
    ],
)
def test_places_in_a_ranks_memory_are_not_seen(text):
    with pytest.raises(DeviceError, match="rewiring rule bad, per_target, line 1, column"):
        conformance(COMES + text).test_tiles_do_not_matter()


def test_a_rule_that_reads_what_other_threads_write_or_what_no_one_has_written_is_caught():
    others = "static int last = 0; const int other = last; last = post_id + row.size();"
    racing = conformance(COMES + others + "if (other & 1) row.propose(other);")
    with pytest.raises(AssertionError):
        racing.test_tiles_do_not_matter()
    kept = dataclasses.replace(racing.rule.model, replace="target", per_target="if (row.size()) row.propose(5);")
    with pytest.raises(AssertionError):
        type("Tested", (RuleConformance,), {"rule": kept()})().test_numbers_are_kept()
    infinite = dataclasses.replace(racing.rule.model, initial="1e38f * 1e10f", per_target=COMES, bound="1")
    with pytest.raises(SimulationError, match=r"weight = inf of the synapse from \d+ to \d+ is not finite after step"):
        type("Tested", (RuleConformance,), {"rule": infinite(), "duration_ms": 2.0})().test_values_are_finite()
