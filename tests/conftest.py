"""What holds for all tests: their lanes, which of them begin first, and how hypothesis draws."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
# Those that mostly wait begin first, so that others can use the processor meanwhile.
WAITING = ("jobs/test_slurm.py", "jobs/test_local_jobs.py", "runs/test_kill.py")

# What most tests run takes less time than to optimise it fully, which does not change a bit; what tests of kernels and
# ranks run, each of which compiles its own, less than to optimise it at all. But models' science runs for long, and
# some tests are about what compilers do: flags of the environment go over those that a test asks for. Whoever tests may
# have others.
A_LITTLE = "-O1"
OF_LANE = {"kernels": "-O0", "ranks": "-O0", "science": None}
OF_FILE = {
    **dict.fromkeys(("ranks/test_faults.py", "ranks/test_invariance.py"), A_LITTLE),  # seconds of model time
    **dict.fromkeys(("kernels/test_compiler_flags.py", "kernels/test_invariance.py"), None),
    **dict.fromkeys(("kernels/test_mathematics.py", "kernels/test_vectorisation.py"), None),
}
ASKED_FLAGS = os.environ.get("CXXFLAGS")
# Of racing threads, which are many more than cores, those that have nothing to do sleep; read when OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# The same examples everywhere, however fast the machine is and whatever has failed on it before.
settings.register_profile(
    "tests", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def state_of_this_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What hpcsnn keeps for a user, such as whose code may run, is not that of whoever tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


def pytest_configure() -> None:
    """Tests hear Ctrl-C, and so does what they start: in the background of a shell it is ignored from the start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main() -> Generator[None, object, object]:
    """Modules are compiled once for all that tests start, even where whoever tests wants no bytecode beside them."""
    if not sys.dont_write_bytecode or "PYTHONPYCACHEPREFIX" in os.environ:
        return (yield)
    with tempfile.TemporaryDirectory(prefix="hpcsnn-bytecode-", ignore_cleanup_errors=True) as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        return (yield)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test has the marker of its folder; every unit test is quick."""
    lane = item.path.relative_to(TESTS).parts[0]
    item.add_marker(lane)
    if lane == "unit":
        item.add_marker("quick")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """By which flags a test, and what it starts, compiles."""
    path = item.path.relative_to(TESTS)
    flags = OF_FILE.get(path.as_posix(), OF_LANE.get(path.parts[0], A_LITTLE)) if ASKED_FLAGS is None else ASKED_FLAGS
    os.environ.pop("CXXFLAGS", None)
    if flags is not None:
        os.environ["CXXFLAGS"] = flags


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait come first, in this order; the others stay as they were."""
    order = {TESTS / name: place for place, name in enumerate(WAITING)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
