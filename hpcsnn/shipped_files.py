"""Where the files live that ship beside the package: kernels, ready configurations and ready profiles of sites.

In an installed wheel they are inside the package; in a checkout (editable install) they are beside it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def kernel_folder() -> Path:
    """The CUDA C++ templates."""
    return _folder("kernels")


def configuration_folder() -> Path:
    """The ready experiments."""
    return _folder("configs")


def shipped_configurations() -> list[str]:
    """Names of the ready simulations, as ``hpcsnn run`` takes them."""
    return sorted(name for name, trains in _shipped().items() if not trains)


def shipped_trainings() -> list[str]:
    """Names of the ready trainings, as ``hpcsnn train`` takes them."""
    return sorted(name for name, trains in _shipped().items() if trains)


def shipped_of_any_kind() -> list[str]:
    """Names of both, for commands that take either."""
    return sorted(_shipped())


def _shipped() -> dict[str, bool]:
    """The ready configurations by name, and whether each trains: it has data, or extends one that does."""
    texts = {path.stem: path.read_text() for path in configuration_folder().glob("*.yaml")}
    return {name: _trains(texts, name) for name in texts}


def _trains(texts: dict[str, str], name: str) -> bool:
    keys = {line.partition(":")[0]: line.partition(":")[2].strip() for line in texts[name].splitlines()}
    base = keys.get("extends", "").removesuffix(".yaml")
    return "data" in keys or (base in texts and base != name and _trains(texts, base))


def site_folder() -> Path:
    """The ready profiles of sites."""
    return _folder("launch/sites")
