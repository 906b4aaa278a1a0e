"""What commands share: their arguments, the ranks they run on, and errors as one message."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hpcsnn.devices import CHOICES
from hpcsnn.errors import ConfigurationError, DeviceError, HpcsnnError, RunBusyError, StorageError
from hpcsnn.ranks.communicator import Alone, Communicator
from hpcsnn.ranks.world import find_world
from hpcsnn.shipped_files import configuration_folder


def configuration_names() -> list[str]:
    """The configurations that ship, for completion; what begins with none of them the shell completes as a file."""
    return sorted(path.stem for path in configuration_folder().glob("*.yaml"))


ConfigPath = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML file, or the name of a configuration that ships with hpcsnn (such as topomap).",
        autocompletion=configuration_names,
    ),
]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a value of the configuration: scale=4, projections.ff.delay_ms=1. Repeat.",
    ),
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]

DeviceChoice = Annotated[
    str,
    typer.Option(
        metavar="|".join(CHOICES), help="auto takes a GPU for each local rank if there are as many, else the CPU."
    ),
]
# Exit codes: 1 something failed on the way and was told in words, 2 the request itself cannot be carried out, 3 a fault
# that nobody foresaw, or another job at the same run, after which another try may succeed.
FAILED, REFUSED, FAULT = 1, 2, 3
# An abort ends mpiexec's own processes too: what a rank has just said must have passed through them.
_OUTPUT_PASSES_S = 0.3


def world() -> Communicator:
    """The ranks that the command runs on; says so where there is no usable MPI."""
    try:
        return find_world()
    except DeviceError as error:
        _complain(str(error))
        raise typer.Exit(FAILED) from None


@contextmanager
def reported(ranks: Communicator | None = None) -> Iterator[None]:
    """Errors as one message, without a traceback where the user can mend them; no rank outlives another's failure."""
    ranks = ranks or Alone()
    try:
        yield
    except ConfigurationError as error:  # every rank reads the same configuration and finds the same
        if ranks.rank == 0:
            _complain(str(error))
        raise typer.Exit(REFUSED) from None
    except StorageError as error:
        _complain(str(error))
        _stop(ranks, FAULT if isinstance(error, RunBusyError) else REFUSED)
    except HpcsnnError as error:
        _complain(f"rank {ranks.rank}: {error}" if ranks.size > 1 else str(error))
        _stop(ranks, FAILED)
    except KeyboardInterrupt:
        _complain("interrupted")
        _stop(ranks, 130)
    except (typer.Exit, SystemExit):
        raise
    except BaseException:
        traceback.print_exc()
        _stop(ranks, FAULT)


def _stop(ranks: Communicator, code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if ranks.size > 1:
        time.sleep(_OUTPUT_PASSES_S)
        ranks.abort(code)
    raise typer.Exit(code)


def _complain(message: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"error: {message}", style="red", markup=False, highlight=False)
