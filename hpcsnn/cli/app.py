"""The command line: the groups of commands put together.

To add a command, write one function in the file of its group, ``*_commands.py``, below ``@commands.command()``; the
first paragraph of its docstring is what ``hpcsnn --help`` says of it, `hpcsnn.cli.common` has the arguments that
commands share. All these files are loaded at every start, so a command imports inside itself, below ``with
reported()``, whatever goes beyond the standard library, typer and that file. A new group is one more file, and one
more `add_typer` here.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from hpcsnn._version import __version__
from hpcsnn.cli import (
    dry_run_commands,
    job_commands,
    rule_commands,
    run_commands,
    scale_commands,
    store_commands,
    train_commands,
)
from hpcsnn.cli.common import EXIT_CODES, set_verbosity


class _ShowsFlags:
    """Of a command whose help shows what a flag is by its name alone: typer has a type behind it, as if it took one."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, with those that help adds."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if getattr(parameter, "is_flag", False) and parameter.metavar is None:
                parameter.metavar = ""
        return parameters


class _Command(_ShowsFlags, TyperCommand):
    pass


class _Group(_ShowsFlags, TyperGroup):
    pass


app = typer.Typer(
    cls=_Group,
    help="Simulate and train spiking neural networks whose wiring changes while they run, on one or many MPI ranks.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"hpcsnn {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Of run, resume and train: print warnings and errors alone.")
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, metavar="", help="Log what is done to standard error; -vv in detail."
        ),
    ] = 0,
) -> None:
    del version  # printed by now
    set_verbosity(quiet, verbose)


for _module, _name in (
    (run_commands, None),
    (train_commands, None),
    (store_commands, None),
    (dry_run_commands, None),
    (job_commands, None),
    (rule_commands, "rules"),
    (scale_commands, "scale"),
):
    for _registered in _module.commands.registered_commands:
        _registered.cls = _Command
    app.add_typer(_module.commands, name=_name, cls=_Group)

if __name__ == "__main__":
    app()
