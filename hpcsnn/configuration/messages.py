"""What is wrong with a configuration or a profile, one line for each thing: field, value, what is allowed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from hpcsnn.configuration.schema import Configuration, NetworkConfiguration, PopulationConfig, ProjectionConfig
from hpcsnn.errors import unknown_name


def explained(problem: Any, kind: type[NetworkConfiguration] = Configuration) -> str:
    """One line from one of pydantic's errors about a configuration of this kind: field, what is allowed, value."""
    parts = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        owner: type[BaseModel] = kind
        if len(parts) == 3:
            owner = PopulationConfig if parts[0] == "populations" else ProjectionConfig
        return unknown_name(".".join(parts[:-1]) or "configuration", parts[-1], owner.model_fields)
    where = ".".join(part for part in parts if not part.startswith(("tuple", "dict[", "function-")))
    if problem["type"] == "missing":
        return f"{where}: missing"
    return f"{not_allowed(where, problem)}{_unit(parts[-1])}"


def not_allowed(where: str, problem: Any) -> str:
    """Field, value and, in pydantic's words, what is allowed."""
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{where}: {problem['input']!r} is not allowed; {message}"


def _unit(name: str) -> str:
    units = {"_ms": " (a number of milliseconds)", "_hz": " (a number of hertz)", "_mV": " (a number of millivolts)"}
    return next((words for suffix, words in units.items() if name.endswith(suffix)), "")
