"""Times as people read them."""

from __future__ import annotations

import pytest

from hpcsnn.runs.progress import clock


@pytest.mark.parametrize(("seconds", "shown"), [(0.2, "0:00"), (61, "1:01"), (3723, "1:02:03")])
def test_time_left_is_a_clock(seconds, shown):
    assert clock(seconds) == shown
