"""Devices that are handed one kernel after the other: threads that race in place of a GPU, and a GPU where one is."""

from __future__ import annotations

import pytest

from hpcsnn.devices.cuda import gpu_count
from hpcsnn.testing.racing_threads import RacingThreads

_ON_GPU = (pytest.mark.gpu, pytest.mark.skipif(gpu_count() == 0, reason="needs a GPU"))
GPU = pytest.param("gpu", id="gpu", marks=_ON_GPU)
LAUNCHED = (pytest.param(RacingThreads(), id="racing"), GPU)
on_launched = pytest.mark.parametrize("device", LAUNCHED)
