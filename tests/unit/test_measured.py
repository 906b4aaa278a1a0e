"""What a summary says of each rank is read in one place, and what it does not say is told."""

from __future__ import annotations

import math
import re

import pytest

from hpcsnn.errors import StorageError
from hpcsnn.planning.measured import PHASES, measured_ranks
from support.studies import a_rank


def test_ranks_are_read_in_their_order():
    read = measured_ranks({"per_rank": [a_rank(1), a_rank(0, later_versions="say more")]}, "run")
    assert [one.rank for one in read] == [0, 1]
    assert read[0].construction_s.whole == pytest.approx(0.58)
    assert read[0].phases_s.work == pytest.approx(0.1 * (len(PHASES) - 2)), "all but waiting and transfer"


def test_a_summary_of_an_earlier_version_is_told_as_such():
    with pytest.raises(
        StorageError, match=r"^runs/old: its summary says nothing of each rank \(per_rank\), as those of"
    ):
        measured_ranks({"ranks": 2}, "runs/old")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"neurons": -1}, "per_rank[0].neurons: -1: "),
        ({"propagation_s": math.nan}, "per_rank[0].propagation_s: nan: "),
        ({"phases_s": {"neurons": 1.0}}, "per_rank[0].phases_s.delivery: "),
        ({"host": None}, "per_rank[0].host: None: "),
        ({"construction_s": [1, 2]}, "per_rank[0].construction_s: [1, 2]: "),
        ({"cycle_us": {"edges": [0.0, 1.0], "counts": [1, 2]}}, "per_rank[0].cycle_us: "),
    ],
    ids=["below zero", "not a number", "missing", "null", "a list", "edges"],
)
def test_what_no_version_says_is_told_with_its_place(changes, where):
    with pytest.raises(StorageError, match=re.escape(f"run: its summary cannot be read: {where}")):
        measured_ranks({"per_rank": [a_rank(**changes)]}, "run")


@pytest.mark.parametrize("value", [[], None, {}, "text", [1]])
def test_ranks_are_a_list_of_one_or_more(value):
    with pytest.raises(StorageError, match=re.escape("run: its summary cannot be read: per_rank")):
        measured_ranks({"per_rank": value}, "run")
