"""``hpcsnn rules``: what its commands list, show and test."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hpcsnn.cli.facts.of_models import in_full
from hpcsnn.configuration.files import parse_value
from hpcsnn.errors import ConfigurationError, SimulationError, unknown_name
from hpcsnn.models.base import Model
from hpcsnn.models.currents import OF_EVERY_CURRENT, CurrentModel
from hpcsnn.models.learning import LearningRule
from hpcsnn.models.registry import KINDS, registered
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.models.user_files import is_reference, models_in
from hpcsnn.terminal import terminal

# Kinds in the order in which a configuration meets them.
_TITLES = {
    "model": "neurons and stimuli",
    "stimulate": "currents onto neurons",
    "connector": "connectors",
    "receptor": "receptors",
    "synapse": "synapses",
    "rewiring": "rules of rewiring",
    "loss": "losses",
    "optimiser": "optimisers",
    "learning": "learning rules",
}


def all_models() -> list[Model]:
    """All built-in models, kind by kind."""
    return [model for kind in KINDS for model in registered(kind).values()]


def print_all_models() -> None:
    """A line for each built-in model, kind by kind; `print_models` has the rest."""
    console = terminal(highlight=False, markup=True)
    widest = max(len(model.name) for model in all_models())
    for kind in KINDS:
        console.print(f"[bold]{_TITLES[kind]}[/bold]")
        for model in registered(kind).values():
            line = f"{model.name:<{widest}}  {escape(' '.join(model.doc.split()))}"
            console.print(line, no_wrap=True, overflow="ellipsis")
    console.print("parameters, source and snippets of one: hpcsnn rules show NAME")


def print_models(name: str) -> None:
    """One built-in model in full, or those of a user's file.

    Raises:
        ConfigurationError: there is none of that name.
    """
    console = terminal(highlight=False, markup=True)
    for model in found_models(name):
        _show(console, model)


def tested_rules(name: str, settings: list[str], console: Console) -> list[dict[str, Any]]:
    """Test rules, and print each test's outcome as it comes.

    Returns:
        of each rule ``rule`` (its test class), ``passed``, ``tests`` (``test``, ``passed``, ``complaint``, ``seconds``)
        and ``notes``

    Raises:
        ConfigurationError: no rule of that name, or settings that it does not take.
    """
    return [_tested(tested, console) for tested in _test_classes(name, settings)]


def found_models(name: str) -> list[Model]:
    """The built-in model of that name, or those of a user's file.

    Raises:
        ConfigurationError: there is none.
    """
    if is_reference(name) or name.endswith(".py"):
        path, _, attribute = name.partition(".py")
        models = models_in(Path(f"{path}.py").resolve())
        attribute = attribute.removeprefix(":")
        if attribute and attribute not in models:
            raise ConfigurationError(unknown_name(f"{path}.py", attribute, models))
        if not models:
            raise ConfigurationError(f"{path}.py: defines no models")
        return [models[attribute]] if attribute else list(models.values())
    everything = {model.name: model for kind in KINDS for model in registered(kind).values()}
    if name not in everything:
        raise ConfigurationError(unknown_name("NAME", name, everything))
    return [everything[name]]


def _show(console: Console, model: Model) -> None:
    of = in_full(model)
    console.print(f"[bold]{model.name}[/bold] ({model.KIND}): {escape(model.doc)}")
    if model.source:
        console.print(f"source: {escape(model.source)}", soft_wrap=True)
    if of["parameters"]:
        table = Table(box=None, pad_edge=False)
        for column in ("parameter", "default", "allowed", "what it is"):
            table.add_column(column, overflow="fold")
        for name, parameter in of["parameters"].items():
            default = "must be given" if parameter["default"] is None else parameter["default"]
            table.add_row(name, default, escape(parameter["allowed"]), escape(parameter["doc"]))
        console.print(table)
    if of["kind"] == CurrentModel.KIND:
        console.print(OF_EVERY_CURRENT, soft_wrap=True)
    for variable in of["variables"]:
        unit = f" ({variable['unit']})" if variable["unit"] else ""
        console.print(f"{variable['of'].replace('_', ' ')} {variable['name']}{unit}: {variable['doc'] or '-'}")
    if of["select"] is not None:
        console.print(f"who is tried: {escape(of['select'])}", soft_wrap=True)
    for name, text in of["snippets"].items():
        console.print(f"{name}:")
        console.print(textwrap.indent(escape(text), "  "), style="dim", soft_wrap=True)
    console.print()


def _test_classes(name: str, settings: list[str]) -> list[Any]:
    from hpcsnn.models.user_files import module_of
    from hpcsnn.testing.conformance import RuleConformance
    from hpcsnn.testing.learning_conformance import LearningConformance
    from hpcsnn.testing.on_ranks import Conformance

    kinds: dict[type[Model], type[Conformance]] = {RewiringRule: RuleConformance, LearningRule: LearningConformance}
    if name.endswith(".py") and not settings:
        own = [
            value
            for value in vars(module_of(Path(name).resolve())).values()
            if isinstance(value, type) and issubclass(value, tuple(kinds.values())) and value not in kinds.values()
        ]
        if own:
            return own
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigurationError(f"--set {setting!r}: must be name=value, such as p_form=0.1")
        values[key] = parse_value(f"--set {setting!r}", text)
    found = [(model, tests) for model in found_models(name) for kind, tests in kinds.items() if isinstance(model, kind)]
    if not found:
        raise ConfigurationError(f"{name}: no rule of rewiring, and no learning rule")
    return [type(model.name, (tests,), {"rule": model.configure(model.name, values)}) for model, tests in found]


def _tested(tested: Any, console: Console) -> dict[str, Any]:
    """Run the tests of one class."""
    tests = tested()
    console.print(f"[bold]{tested.__name__}[/bold]")
    names = tested.names_of_tests()
    outcomes: list[dict[str, Any]] = []
    for name in names:
        start, complaint = time.perf_counter(), ""
        with console.status(name.removeprefix("test_").replace("_", " ")):
            try:
                getattr(tests, name)()
            except (AssertionError, SimulationError) as error:
                complaint = str(error) or "the assertion fails"
        mark = "[red]fails[/red]" if complaint else "[green]ok[/green]"
        seconds, words = time.perf_counter() - start, name.removeprefix("test_").replace("_", " ")
        outcomes.append({"test": words, "passed": not complaint, "complaint": complaint.strip(), "seconds": seconds})
        console.print(f"  {mark}  {words}  [dim]{seconds:.1f} s[/dim]")
        if complaint:
            console.print("        " + escape(complaint).strip().replace("\n", "\n        "), soft_wrap=True)
    notes = list(tests.notes())
    for note in notes:
        console.print(f"  [yellow]note[/yellow]  {escape(note)}", soft_wrap=True)
    passed = sum(outcome["passed"] for outcome in outcomes)
    console.print(f"{passed} of {len(names)} tests pass")
    return {"rule": tested.__name__, "passed": passed == len(names), "tests": outcomes, "notes": notes}
