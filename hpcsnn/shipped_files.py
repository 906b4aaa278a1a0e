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


def site_folder() -> Path:
    """The ready profiles of sites."""
    return _folder("launch/sites")
