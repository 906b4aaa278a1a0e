"""``hpcsnn rules``: what models there are, what they take, and whether a rule of a user's keeps to what all must."""

from typing import Annotated

import typer

from hpcsnn.cli.common import FAILED, JsonChoice, reported, say_json
from hpcsnn.terminal import terminal

commands = typer.Typer(
    help="Built-in neurons, stimuli, connectors, synapses, rules of rewiring and of learning ..; tests of your own.",
    invoke_without_command=True,
)

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="A built-in model, file.py, or file.py:Name.")]


@commands.callback()
def list_models(context: typer.Context, as_json: JsonChoice = False) -> None:
    """Without a command of its own, ``hpcsnn rules`` lists them all."""
    if context.invoked_subcommand is None:
        with reported():
            from hpcsnn.cli.facts.of_models import in_short
            from hpcsnn.cli.rule_actions import all_models, print_all_models

            if as_json:
                say_json([in_short(model) for model in all_models()])
            else:
                print_all_models()


@commands.command(epilog="Examples: `hpcsnn rules show bamford` · `hpcsnn rules show my_rule.py:MyRule`")
def show(name: ModelName, as_json: JsonChoice = False) -> None:
    """Show models in full: parameters with unit, default and range, variables, source, and what they run."""
    with reported():
        from hpcsnn.cli.facts.of_models import in_full
        from hpcsnn.cli.rule_actions import found_models, print_models

        if as_json:
            say_json([in_full(model) for model in found_models(name)])
        else:
            print_models(name)


@commands.command(
    epilog="Examples: `hpcsnn rules test my_rule.py` · `hpcsnn rules test my_rule.py:MyRule --set p_form=0.1`"
)
def test(
    name: ModelName,
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the rule: p_form=0.1. Repeat.")
    ] = [],  # noqa: B006
    as_json: JsonChoice = False,
) -> None:
    """Run the conformance tests on rules of rewiring and of learning: one answer on ranks, compilers, after a restart.

    A file may hold a test class of its own (see hpcsnn.testing), which says what network the rule needs.
    """
    with reported():
        from hpcsnn.cli.rule_actions import tested_rules

        tested = tested_rules(name, settings, terminal(highlight=False, markup=True, quiet=as_json))
        if as_json:
            say_json(tested)
    if not all(rule["passed"] for rule in tested):
        raise typer.Exit(FAILED)
