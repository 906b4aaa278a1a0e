"""Devices that are handed one kernel after the other: threads that race in place of a GPU, and a GPU where one is."""

from __future__ import annotations

import pytest

from hpcsnn.devices.gpus import find_gpus
from hpcsnn.testing.racing_threads import RacingThreads

_ON_GPU = (pytest.mark.gpu, pytest.mark.skipif(not find_gpus().identities, reason="needs a GPU"))
GPU = pytest.param("gpu", id="gpu", marks=_ON_GPU)
LAUNCHED = (pytest.param(RacingThreads(), id="racing"), GPU)
on_launched = pytest.mark.parametrize("device", LAUNCHED)
