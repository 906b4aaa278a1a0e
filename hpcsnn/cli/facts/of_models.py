"""What ``hpcsnn rules`` says of models."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from hpcsnn.models.base import Model
from hpcsnn.models.learning import Gradient
from hpcsnn.models.rewiring import Guide, Pairing, RewiringRule, Selection, Turnover
from hpcsnn.models.snippet_text import cleaned

# Texts of a model that are no snippets.
_NO_SNIPPETS = ("name", "doc", "source", "trigger", "replace", "bound")
_VARIABLES = ("state", "variables", "synapse_variables", "source_variables", "target_variables")


def in_short(model: Model) -> dict[str, Any]:
    """Name, kind, what it is, and the defaults of its parameters; None of one that must be given."""
    defaults = {
        name: None if parameter.default is None else parameter.default_text
        for name, parameter in model.parameters.items()
    }
    return {"name": model.name, "kind": model.KIND, "doc": model.doc, "source": model.source, "parameters": defaults}


def in_full(model: Model) -> dict[str, Any]:
    """All of it: parameters with what is allowed, variables, and what it runs."""
    return in_short(model) | {
        "parameters": {
            name: {
                "default": None if parameter.default is None else parameter.default_text,
                "allowed": parameter.allowed(),
                "doc": parameter.doc,
            }
            for name, parameter in model.parameters.items()
        },
        "variables": [
            {"name": variable.name, "of": field.removesuffix("s"), "unit": variable.unit, "doc": variable.doc}
            for field in _VARIABLES
            for variable in getattr(model, field, ())
        ],
        "select": model.select.doc if isinstance(model, RewiringRule) else None,
        "snippets": {name: cleaned(text) for name, text in _snippets(model)},
    }


def _snippets(model: Model) -> Iterator[tuple[str, str]]:
    """The texts that a model runs, those of a rule's parts and tables by name too."""
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        texts: dict[str, Any] = {}
        if isinstance(model, RewiringRule) and field.name == "initial":
            texts = {f"initial.{part}": text for part, text in model.initials.items()}
        elif isinstance(value, str) and field.name not in _NO_SNIPPETS:
            texts = {field.name: value}
        elif isinstance(value, Selection):
            texts = {"select.draw": value.draw, "select.pick": value.pick}
        elif isinstance(value, Pairing):
            texts = {f"pairing.{part}": text for part, text in vars(value).items() if part != "every"}
        elif isinstance(value, (Turnover, Guide)):
            texts = {f"{field.name}.{part}": text for part, text in vars(value).items() if isinstance(text, str)}
        elif isinstance(value, Gradient):
            texts = {f"gradient.{part}": text for part, text in value.texts.items()}
        elif field.name in ("sums", "of_batch"):
            texts = {f"{field.name}.{part}": text for part, text in value.items()}
        yield from ((name, text) for name, text in texts.items() if text.strip())
