"""What a site's cluster wants to be told: named profiles in ``~/.config/hpcsnn/clusters.yaml``.

``$HPCSNN_CLUSTERS`` names another file. A profile is chosen by ``--profile NAME``; the one called ``default`` is taken
where none is asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hpcsnn.errors import ConfigurationError, unknown_name

MpiLaunch = Literal["auto", "srun", "mpiexec"]


class SiteProfile(BaseModel):
    """One cluster; everything is optional.

    ``mpi`` is how ranks are started inside a job (``srun`` with ``mpi_plugin``, ``mpiexec`` or ``auto``), ``modules``
    are loaded and ``setup`` lines run before the job starts, ``sbatch`` holds further options of sbatch by name,
    ``scratch`` is where runs go that are not told otherwise.
    """

    model_config = ConfigDict(extra="forbid")

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    modules: list[str] = Field(default_factory=list)
    setup: list[str] = Field(default_factory=list)
    mpi: MpiLaunch = "auto"
    mpi_plugin: str = "pmi2"
    scratch: Path | None = None
    gpus_per_node: int | None = Field(default=None, ge=0)
    ranks_per_node: int | None = Field(default=None, ge=1)
    sbatch: dict[str, str | int | bool] = Field(default_factory=dict)


def profiles_file() -> Path:
    """Where profiles are kept."""
    asked = os.environ.get("HPCSNN_CLUSTERS")
    if asked:
        return Path(asked)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "hpcsnn" / "clusters.yaml"


def load_profile(name: str | None) -> SiteProfile:
    """The profile of this name; None: ``default`` if the file has one, else an empty one.

    Raises:
        ConfigurationError: no such profile, or a file, key or value that is not allowed.
    """
    file = profiles_file()
    profiles = _read(file)
    if name is None:
        name = "default"
        if name not in profiles:
            return SiteProfile()
    if name not in profiles:
        raise ConfigurationError(unknown_name(f"--profile: in {file}", name, profiles))
    where = f"{file}: {name}"
    if not isinstance(profiles[name], dict):
        raise ConfigurationError(f"{where}: {profiles[name]!r} is not allowed; must be a mapping of keys to values")
    try:
        return SiteProfile.model_validate(profiles[name])
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explained(where, problem) for problem in error.errors())) from None


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        profiles = yaml.safe_load(file.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from None
    if not isinstance(profiles, dict):
        raise ConfigurationError(f"{file}: must be a mapping of profile names to profiles")
    return profiles


def _explained(where: str, problem: Any) -> str:
    parts = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        return unknown_name(where, parts[-1], SiteProfile.model_fields)
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{where}.{parts[0]}: {problem['input']!r} is not allowed; {message}"
