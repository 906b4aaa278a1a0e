"""What commands share: their arguments, how to launch, the ranks they run on, and errors as one message."""

import errno
import inspect
import logging
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer

from hpcsnn.devices import CHOICES
from hpcsnn.errors import ConfigurationError, DeviceError, HpcsnnError, RunBusyError, StorageError
from hpcsnn.ranks.communicator import Alone, Communicator
from hpcsnn.ranks.exit_codes import tell_exit_code
from hpcsnn.ranks.world import find_world
from hpcsnn.shipped_files import shipped_configurations
from hpcsnn.terminal import log_to_terminal, printable, terminal

if TYPE_CHECKING:
    from rich.console import Console

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
_Result = TypeVar("_Result")

ConfigPath = Annotated[
    str | None,
    typer.Argument(
        metavar="[CONFIG]",
        help="A YAML file, or the name of a configuration that ships with hpcsnn (such as topomap).",
        autocompletion=shipped_configurations,
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
TrustChoice = Annotated[
    bool,
    typer.Option("--trust", help="Execute the Python files that a run directory of somebody else's names."),
]
DataChoice = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="Of a training: where its data's files are. Default: where a package puts them.",
    ),
]
CheckpointChoice = Annotated[
    str | None,
    typer.Option(
        "--checkpoint-every",
        metavar="TIME",
        help="Model time, such as 10s, or wall time, such as 10min-wall. Default: as configured; a job's: 10min-wall.",
    ),
]
KeepChoice = Annotated[
    int | None, typer.Option("--keep", help="How many of the newest checkpoints stay. Default: as configured (3).")
]
ROLES = ("best", "last")
RoleChoice = Annotated[
    str, typer.Option("--checkpoint", metavar="|".join(ROLES), help="By the validation samples, or in time.")
]
OutChoice = Annotated[Path | None, typer.Option(help="Run directory. Default: runs/ and the configuration's name.")]
OverwriteChoice = Annotated[bool, typer.Option("--overwrite", help="Replace a run that is there already.")]
FigureChoice = Annotated[bool, typer.Option(help="Draw figures at the end.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
SummaryChoice = Annotated[
    bool,
    typer.Option("--json", help="Print summary.json at the end; what is said on the way goes to standard error."),
]
JsonChoice = Annotated[bool, typer.Option("--json", help="For programs: one JSON document on standard output.")]

_DEVICES = "|".join(CHOICES)
DeviceChoice = Annotated[
    str,
    typer.Option(metavar=_DEVICES, help="auto takes a GPU for each local rank if there are as many, else the CPU."),
]

# Exit codes: 1 something failed on the way and was told in words, 2 the request itself cannot be carried out, 3 a fault
# that nobody foresaw, or another job at the same run, after which another try may succeed. EXIT_CODES says it to users.
FAILED, REFUSED, FAULT = 1, 2, 3
# What the system refuses wherever a file is touched, and its user can mend.
_TOLD = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
_INTERRUPTED = 128 + signal.SIGINT
EXIT_CODES = (
    "Exit codes: 0 done · 1 failed on the way, or `diff` and `rules test` found something · 2 cannot be carried out as "
    "asked · 3 an unforeseen fault, or another job at the same run: try again · 130 interrupted"
)
# An abort ends mpiexec's own processes too: what a rank has just said must have passed through them.
_OUTPUT_PASSES_S = 0.3


_job_option = partial(typer.Option, rich_help_panel="The job")


@dataclass(frozen=True)
class Asked:
    """How to launch, as the flags say; each field is an option of every command that launches."""

    cluster: Annotated[
        str | None,
        _job_option(metavar="slurm|local|debug", help="A Slurm cluster, this machine, or this very process."),
    ] = "slurm"
    nodes: Annotated[int, _job_option(min=1, help="Nodes.")] = 1
    ranks: Annotated[
        int | None, _job_option(min=1, help="MPI ranks in all. Default: one per GPU, else by the network's size.")
    ] = None
    gpus_per_node: Annotated[
        int | None, _job_option(min=0, help="GPUs of each node. Default: the profile's, else none.")
    ] = None
    time: Annotated[
        str,
        _job_option(
            metavar="TIME", help="Limit of one start, such as 2h or 1-00:00:00; the run is requeued until it is done."
        ),
    ] = "1h"
    grace: Annotated[
        str | None,
        _job_option(metavar="TIME", help="How long before the limit to stop at a checkpoint. Default: by size."),
    ] = None
    partition: Annotated[str | None, _job_option(help="Slurm partition. Default: the profile's.")] = None
    account: Annotated[str | None, _job_option(help="Slurm account. Default: the profile's.")] = None
    profile: Annotated[
        str | None,
        _job_option(
            metavar="NAME",
            help="Of ~/.config/hpcsnn/clusters.yaml, or one that ships, such as workstation. "
            "Default: the file's default, if it has one.",
        ),
    ] = None
    max_restarts: Annotated[int, _job_option(min=0, help="How often to go on after a crash.")] = 3
    device: Annotated[str, _job_option(metavar=_DEVICES, help="As for hpcsnn run.")] = "auto"


def takes(
    command: Callable[..., None], argument: str, kind: type, without: Sequence[str] = (), **defaults: Any
) -> Callable[..., None]:
    """Give a command the options that are fields of a dataclass, in place of its argument of that kind.

    Args:
        command: what is called, with an object of the `kind` as `argument`.
        without: fields that are no options here, and have their defaults.
        defaults: they take precedence over those of the fields.
    """
    keyword, none = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    own = [p.replace(kind=keyword) for p in inspect.signature(command).parameters.values() if p.name != argument]
    options = []
    for one in fields(kind):
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        default = defaults.get(one.name, none if default is MISSING else default)
        if one.name not in without:
            options.append(inspect.Parameter(one.name, keyword, default=default, annotation=one.type))

    def with_options(**given: Any) -> None:
        made = kind(**{option.name: given.pop(option.name) for option in options})
        command(**given, **{argument: made})

    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *options)}
    return with_options


# Gives a command the options of `Asked` in place of its argument ``asked``.
launches = partial(takes, argument="asked", kind=Asked)


class _Expendable:
    """A stream of text that falls silent where it cannot be written; in all else the one that it stands for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text, or nothing any more."""
        return self._tried(lambda: self._stream.write(text), len(text))

    def flush(self) -> None:
        """Flush, or fall silent."""
        self._tried(self._stream.flush, None)

    def _tried(self, work: Callable[[], _Result], otherwise: _Result) -> _Result:
        try:
            return work()
        except OSError:
            with suppress(OSError), Path(os.devnull).open("w") as nowhere:  # for what is in buffers yet
                os.dup2(nowhere.fileno(), self._stream.fileno())
            return otherwise


def outlive_output() -> None:
    """Go on where output cannot be written (a full disk, ``| head``): of a command whose work lies elsewhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)  # None where it was closed, and then what is printed goes nowhere already
        if stream is not None and not isinstance(stream, _Expendable):
            setattr(sys, name, _Expendable(stream))


def world() -> Communicator:
    """The ranks that the command runs on; says so where there is no usable MPI.

    An interrupt ends several ranks at once until they note it and agree (`hpcsnn.runs.stopping`): after a
    KeyboardInterrupt one might wait in MPI_Finalize for others that wait in a call of their own. A process alone has
    nobody to wait for, and Python's way.
    """
    python_handles = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if python_handles:  # by the kernel, as long as ranks wait for each other in MPI_Init, where Python handles nothing
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        ranks = find_world()
    except DeviceError as error:
        _complain(str(error))
        tell_exit_code(FAILED)
        raise typer.Exit(FAILED) from None

    def end_at_once(*_: object) -> None:
        os.write(2, b"error: interrupted\n")
        ranks.abort(_INTERRUPTED)
        os._exit(_INTERRUPTED)

    if python_handles:
        signal.signal(signal.SIGINT, end_at_once if ranks.size > 1 else signal.default_int_handler)
    return ranks


@contextmanager
def reported(ranks: Communicator | None = None) -> Iterator[None]:
    """Errors as one message, without a traceback where the user can mend them; no rank outlives another's failure."""
    ranks = ranks or Alone()
    try:
        yield
    except ConfigurationError as error:  # every rank reads the same configuration and finds the same
        if ranks.rank == 0:
            _complain(str(error))
            tell_exit_code(REFUSED)
        raise typer.Exit(REFUSED) from None
    except StorageError as error:
        _complain(str(error))
        _stop(ranks, FAULT if isinstance(error, RunBusyError) else REFUSED)
    except HpcsnnError as error:
        _complain(f"rank {ranks.rank}: {error}" if ranks.size > 1 else str(error))
        _stop(ranks, FAILED)
    except OSError as error:
        if error.errno not in _TOLD:
            traceback.print_exc()
            _stop(ranks, FAULT)
        _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        _stop(ranks, REFUSED)
    except KeyboardInterrupt:
        _complain("interrupted")
        _stop(ranks, _INTERRUPTED)
    except (typer.Exit, SystemExit):
        raise
    except BaseException:
        sys.stderr.write(printable(traceback.format_exc()))
        _stop(ranks, FAULT)


def _stop(ranks: Communicator, code: int) -> None:
    tell_exit_code(code)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    if ranks.size > 1:
        time.sleep(_OUTPUT_PASSES_S)
        ranks.abort(code)
    raise typer.Exit(code)


def _complain(message: str) -> None:
    terminal(stderr=True, soft_wrap=True).print(f"error: {message}", style="red", highlight=False)


def checkpoint_overrides(every: str | None, keep: int | None) -> list[str]:
    """What ``--checkpoint-every`` and ``--keep`` come to as overrides of a configuration."""
    given = {"checkpoint_every": every, "checkpoint_keep": keep}
    return [f"{key}={value}" for key, value in given.items() if value is not None]


def data_overrides(config: str, data: Path | None) -> list[str]:
    """What ``--data`` comes to as an override of a configuration.

    Raises:
        ConfigurationError: the configuration is that of a run, which has no data.
    """
    if data is None:
        return []
    from hpcsnn.configuration.files import trains

    if not trains(config):
        raise ConfigurationError(f"--data: is not allowed; {config} is no training, and a run has no data")
    from hpcsnn.training.configuration import data_at

    return data_at(data)


def checked_role(role: str) -> str:
    """Which checkpoint of a training is meant.

    Raises:
        ConfigurationError: there is none of this name.
    """
    return checked_choice("--checkpoint", role, ROLES)


def checked_choice(flag: str, value: str, allowed: Sequence[str]) -> str:
    """The value of a flag, which must be one of some words.

    Raises:
        ConfigurationError: it is none.
    """
    if value not in allowed:
        words = " or ".join(filter(None, (", ".join(allowed[:-1]), allowed[-1])))
        raise ConfigurationError(f"{flag}: {value!r} is not allowed; must be {words}")
    return value


def set_verbosity(quiet: bool, verbose: int) -> None:
    """What ``hpcsnn -q`` and ``-v`` ask for.

    Raises:
        BadParameter: both are.
    """
    if quiet and verbose:
        raise typer.BadParameter("is not allowed with --verbose", param_hint="--quiet")
    _quiet.set(quiet)
    log_to_terminal([logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)])


def speaks(ranks: Communicator) -> bool:
    """Whether this rank prints what a run comes to: the first one, unless it was told to be quiet."""
    return ranks.rank == 0 and not _quiet.get()


def console_of(ranks: Communicator, as_json: bool) -> "Console":
    """Where a command says on the way what it does: the first rank's terminal, and beside a document of JSON.

    Of several ranks, one logs what all do.
    """
    if ranks.rank != 0:
        log_to_terminal(logging.WARNING)
    return terminal(quiet=not speaks(ranks), stderr=as_json)


def say(text: str, nl: bool = True) -> None:
    """Print a line for users and programs alike."""
    typer.echo(printable(text), nl=nl)


def say_json(facts: Any) -> None:
    """Print facts as the one JSON document of a command's ``--json``; numbers that are none are null, as JSON has it.

    JSON has everything that is no ASCII escaped, so that a terminal carries out nothing of it.
    """
    import json

    typer.echo(json.dumps(_plain(facts), indent=1, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    of_numpy = getattr(value, "tolist", None)
    return str(value) if of_numpy is None else _plain(of_numpy())
