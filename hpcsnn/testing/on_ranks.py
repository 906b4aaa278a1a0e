"""What tests of models share: their names, and how the same is done once more on real MPI ranks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cloudpickle


class Conformance:
    """A class of tests that pytest and ``hpcsnn rules test`` run."""

    @classmethod
    def names_of_tests(cls) -> list[str]:
        """Those that say something of this class."""
        return [name for name in dir(cls) if name.startswith("test_")]

    def notes(self) -> list[str]:
        """What an author may want to know, though no promise is broken."""
        return []


def last_word_on_ranks(module: str, given: Any, n_ranks: int) -> str:
    """What `module`, run as a program by so many ranks with the name of a file that has `given`, says last.

    Args:
        given: pickled, with models of users' files by value: those cannot be imported.

    Raises:
        AssertionError: the ranks failed; with what they said.
    """
    for name, user_module in list(sys.modules.items()):
        if name.startswith("hpcsnn_user_"):
            cloudpickle.register_pickle_by_value(user_module)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "given.pickle"
        file.write_bytes(cloudpickle.dumps(given))
        mpiexec = Path(sys.executable).parent / "mpiexec"
        command = [str(mpiexec), "-n", str(n_ranks), sys.executable, "-m", module, str(file)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]
