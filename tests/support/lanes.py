"""What of a broad test is tried each time; all of it is with ``-m slow``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def some(cases: Iterable[Any], one_of: int = 4) -> list[Any]:
    """The same cases, of which one in so many, the first included, are tried each time; the others in the slow lane.

    A case may be a tuple, as for several arguments.
    """
    return [
        case
        if number % one_of == 0
        else pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
        for number, case in enumerate(cases)
    ]
