"""What a site's cluster wants to be told: named profiles, the user's own and those that ship.

The user's stand in ``~/.config/hpcsnn/clusters.yaml`` or in the file that ``$HPCSNN_CLUSTERS`` names; those that ship
are a file each in ``launch/sites``. A profile is chosen by ``--profile NAME``, where the user's takes precedence; the
user's ``default`` is taken where none is asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from hpcsnn.configuration.messages import not_allowed
from hpcsnn.configuration.places import Places
from hpcsnn.configuration.yaml_text import read_yaml_file
from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.shipped_files import site_folder

MpiLaunch = Literal["auto", "srun", "mpiexec"]
ONE_LINE = "must be printable characters on one line: it becomes a line of a batch script"


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("one_line", ONE_LINE)
    return text


_Line = Annotated[str, AfterValidator(_one_line)]
# Options of sbatch that would stand beside what hpcsnn asks for, or that a run could not go on with; and why not.
_HAS_A_KEY = "has a key of its own in the profile"
_REQUEUES = "a run is requeued until it is done"
_REFUSED = {
    **dict.fromkeys(("partition", "account", "qos", "constraint", "gpus-per-node"), _HAS_A_KEY),
    "time": "the limit is --time, by which hpcsnn plans checkpoints",
    "time-min": "Slurm would cut the limit by which hpcsnn plans checkpoints",
    "signal": "its signal is how a run is told to write a checkpoint in time; --grace says when",
    "no-requeue": _REQUEUES,
    "requeue": f"{_REQUEUES} anyway",
    **dict.fromkeys(("nodes", "ntasks", "ntasks-per-node"), "these are --nodes and --ranks"),
    **dict.fromkeys(("output", "error", "open-mode", "chdir"), "logs are where hpcsnn logs looks for them"),
    **dict.fromkeys(("array", "job-name"), "hpcsnn gives it to each sweep or run"),
    **dict.fromkeys(("parsable", "test-only", "wait", "wrap", "help", "version"), "it is not about the job"),
}


def _allowed_option(name: str) -> str:
    """The long name of an option that a profile may add, as sbatch has it; it takes any that begins only one."""
    name = name.lower().replace("_", "-")
    if len(name) == 1:
        raise PydanticCustomError("option", "must be an option of sbatch by its long name")
    meant = [name] if name in _REFUSED else [one for one in _REFUSED if one.startswith(name)]
    if meant:
        raise PydanticCustomError("option", "must be another option of sbatch: {why}", {"why": _REFUSED[meant[0]]})
    return name


# The name of an option of sbatch stands unquoted in the script.
_Option = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$"), AfterValidator(_allowed_option)]


class SiteProfile(BaseModel):
    """One cluster; everything is optional.

    ``mpi`` is how ranks are started inside a job (``srun`` with ``mpi_plugin``, ``mpiexec`` or ``auto``), ``mpiexec``
    which one that is, by its name or path (else the one beside Python, which a wheel of MPI brings), ``modules``
    are loaded and ``setup`` lines run before the job starts, ``sbatch`` holds further options of sbatch by name,
    ``scratch`` is where runs go that are not told otherwise. Only ``setup`` is shell: all else stays on its one line.
    """

    model_config = ConfigDict(extra="forbid")

    partition: _Line | None = None
    account: _Line | None = None
    qos: _Line | None = None
    constraint: _Line | None = None
    modules: list[_Line] = Field(default_factory=list)
    setup: list[str] = Field(default_factory=list)
    mpi: MpiLaunch = "auto"
    mpi_plugin: _Line = "pmi2"
    mpiexec: _Line | None = None
    scratch: Path | None = None
    gpus_per_node: int | None = Field(default=None, ge=0)
    ranks_per_node: int | None = Field(default=None, ge=1)
    sbatch: dict[_Option, bool | int | _Line] = Field(default_factory=dict)


def profiles_file() -> Path:
    """Where the user's profiles are kept."""
    asked = os.environ.get("HPCSNN_CLUSTERS")
    if asked:
        return Path(asked)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "hpcsnn" / "clusters.yaml"


def shipped_profiles() -> dict[str, Path]:
    """The files of the profiles that ship, by name."""
    return {path.stem: path for path in sorted(site_folder().glob("*.yaml"))}


def load_profile(name: str | None) -> SiteProfile:
    """The profile of this name, the user's before the one that ships; None: the user's ``default``, else an empty one.

    Raises:
        ConfigurationError: no such profile, or a file, key or value that is not allowed.
    """
    file = profiles_file()
    profiles, places = _read(file)
    if name is None:
        name = "default"
        if name not in profiles:
            return SiteProfile()
    if name in profiles:
        return _checked(name, profiles[name], places)
    shipped = shipped_profiles()
    if name not in shipped:
        where = f"--profile: in {file} or shipped with hpcsnn"
        raise ConfigurationError(unknown_name(where, name, {*profiles, *shipped}))
    return _checked("", *_read(shipped[name]))


def with_flags(profile: SiteProfile, **given: str | None) -> SiteProfile:
    """The profile with what flags say in place of its own; None says nothing.

    Raises:
        ConfigurationError: a value that is not allowed; names the flag.
    """
    said = {key: value for key, value in given.items() if value is not None}
    try:
        return SiteProfile.model_validate({**profile.model_dump(), **said})
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explained("", problem, "--") for problem in error.errors())) from None


def _checked(name: str, profile: Any, places: Places) -> SiteProfile:
    """The profile below a name of the user's file, or that of a file of its own."""
    with places.told():
        if not isinstance(profile, dict):
            raise ConfigurationError(f"{name}: {profile!r} is not allowed; must be a mapping of keys to values")
        try:
            return SiteProfile.model_validate(profile)
        except ValidationError as error:
            raise ConfigurationError("\n".join(_explained(name, problem) for problem in error.errors())) from None


def _read(file: Path) -> tuple[dict[str, Any], Places]:
    if not file.is_file():
        return {}, Places()
    profiles, places = read_yaml_file(file, frozenset())
    if profiles is None:
        return {}, places
    if not isinstance(profiles, dict):
        raise ConfigurationError(f"{file}: must be a mapping of profile names to profiles")
    return profiles, places


def _explained(name: str, problem: Any, mark: str = "") -> str:
    parts = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        return unknown_name(name or "profile", parts[-1], SiteProfile.model_fields)
    return not_allowed(f"{name}.{parts[0]}" if name else f"{mark}{parts[0]}", problem)
