"""The command line: the groups of commands put together.

To add a command, write one function in the file of its group, ``*_commands.py``, below ``@commands.command()``; the
first paragraph of its docstring is what ``hpcsnn --help`` says of it, `hpcsnn.cli.common` has the arguments that
commands share. All these files are loaded at every start, so a command imports inside itself, below ``with
reported()``, whatever goes beyond the standard library, typer and that file. A new group is one more file, and one
more `add_typer` here.
"""

from typing import Annotated

import typer

from hpcsnn._version import __version__
from hpcsnn.cli import job_commands, rule_commands, run_commands, store_commands, train_commands
from hpcsnn.cli.common import EXIT_CODES, set_verbosity

app = typer.Typer(
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


app.add_typer(run_commands.commands)
app.add_typer(train_commands.commands)
app.add_typer(store_commands.commands)
app.add_typer(job_commands.commands)
app.add_typer(rule_commands.commands, name="rules")

if __name__ == "__main__":
    app()
