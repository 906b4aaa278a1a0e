"""A hook of MkDocs: what the reference says of the models that ship is read from the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hpcsnn import models
from hpcsnn.models.currents import OF_EVERY_CURRENT
from hpcsnn.models.registry import KINDS, registered

_TITLES = {
    "model": "Neurons and stimuli",
    "stimulate": "Currents onto neurons",
    "connector": "Connectors",
    "receptor": "Receptors",
    "synapse": "Synapses",
    "rewiring": "Rules of rewiring",
    "loss": "Losses",
    "optimiser": "Optimisers",
    "learning": "Learning rules",
    "unsupervised": "Rules without labels",
}
_VARIABLES = ("state", "variables", "synapse_variables", "source_variables", "target_variables")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page of the models that ship, with the models."""
    return markdown + "\n".join(_reference()) if page.file.src_uri == "api/shipped.md" else markdown


def _reference() -> Iterator[str]:
    exported = {id(getattr(models, name)): name for name in models.__all__}
    for kind in KINDS:
        yield f"\n## {_TITLES[kind]}\n"
        if kind == "stimulate":
            yield f"{OF_EVERY_CURRENT.capitalize()}.\n"
        for model in registered(kind).values():
            yield from _entry(exported[id(model)], f"`{model.name}`: {model.doc}", model)
            if model.source:
                yield f"Source: {model.source}\n"
    yield "\n## Who is tried by a rule\n"
    for name in models.__all__:
        selection = getattr(models, name)
        if isinstance(selection, models.Selection):
            yield from _entry(name, selection.doc, selection)


def _entry(name: str, said: str, model: Any) -> Iterator[str]:
    yield f"\n### {name}\n\n{said}\n"
    if model.parameters:
        yield "| parameter | default | allowed | what it is |\n|---|---|---|---|"
        for parameter, one in model.parameters.items():
            yield f"| `{parameter}` | {one.default_text} | {one.allowed()} | {one.doc} |"
        yield ""
    for argument, said_of_it in getattr(model, "data", {}).items():
        yield f"`{argument}`: {said_of_it}\n"
    variables = [(kind, one) for kind in _VARIABLES for one in getattr(model, kind, ())]
    owners = {"state": "neuron", "variables": "weight" if isinstance(model, models.Optimiser) else "synapse"}
    if variables:
        yield "| variable | of | initial | unit | what it is |\n|---|---|---|---|---|"
        for kind, one in variables:
            owner = owners.get(kind, kind.removesuffix("_variables"))
            yield f"| `{one.name}` | {owner} | {one.initial:g} | {one.unit} | {one.doc} |"
        yield ""
