"""The house keeps its order: a folder imports only what is below, no two files import each other, rooms are small."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hpcsnn"
MOST_MODULES, MOST_LINES = 12, 400


def order() -> list[str]:
    """The folders as ARCHITECTURE.md has them, from the one that all others may import to the one that imports all."""
    tower = re.search(r"## The house\n.*?```\n(.*?)```", (ROOT / "ARCHITECTURE.md").read_text(), flags=re.DOTALL)
    assert tower is not None, "ARCHITECTURE.md has the order of folders in a block under 'The house'"
    return [line.split()[0] for line in reversed(tower[1].splitlines())]


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; a package has the name of its folder."""
    files = PACKAGE.rglob("*.py")
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that a file imports anywhere in it, inside functions too; not only for its types."""
    tree = ast.parse(file.read_text())
    for_types = {
        id(inside)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for inside in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in known)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "hpcsnn":
            for name in node.names:
                inside = f"{node.module}.{name.name}"
                yield inside if inside in known else str(node.module)


def folder_of(module: str) -> str:
    """The folder of a module; empty for the leaves and the package itself, which have none."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else ""


KNOWN = modules()
GRAPH = {name: sorted(set(imports(file, KNOWN)) - {name}) for name, file in KNOWN.items()}


def test_the_order_names_every_folder_and_no_other():
    there = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").is_file()}
    to_come = {"training"}
    assert set(order()) - to_come == there - to_come


def test_a_folder_imports_only_folders_below_it():
    place = {folder: number for number, folder in enumerate(order())}
    upwards = [
        f"{name} imports {other}"
        for name, others in GRAPH.items()
        for other in others
        if folder_of(name) and folder_of(other) and place[folder_of(other)] > place[folder_of(name)]
    ]
    assert not upwards


def test_the_leaves_import_no_folder():
    leaves = [name for name in KNOWN if name.count(".") == 1 and not folder_of(name) and not name.endswith("__main__")]
    assert len(leaves) >= 4
    assert not [(name, other) for name in leaves for other in GRAPH[name] if folder_of(other)]


def test_no_files_import_each_other_in_a_circle():
    done: set[str] = set()
    circles: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circles.append(" -> ".join([*path[path.index(name) :], name]))
        elif name not in done:
            for other in GRAPH[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in GRAPH:
        visit(name, ())
    assert not circles


def test_the_check_sees_imports_inside_functions_and_leaves_those_for_types_out(tmp_path):
    file = tmp_path / "example.py"
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from hpcsnn.cli import app\n"
        "def late():\n    from hpcsnn.network import fields\n    import hpcsnn.errors\n"
        "from hpcsnn.models.base import Model\n"
    )
    assert set(imports(file, KNOWN)) == {"hpcsnn.network.fields", "hpcsnn.errors", "hpcsnn.models.base"}


@pytest.mark.parametrize(
    "folder", sorted({file.parent for file in KNOWN.values()}, key=str), ids=lambda path: path.name
)
def test_a_folder_is_small_enough_to_know(folder):
    files = [file.name for file in folder.glob("*.py") if file.name != "__init__.py"]
    assert len(files) <= MOST_MODULES, files


def test_modules_are_short():
    lines = {
        file.relative_to(ROOT).as_posix(): len(file.read_text().splitlines())
        for folder in (PACKAGE, ROOT / "kernels", ROOT / "scaling", ROOT / "examples")
        for file in folder.rglob("*")
        if file.suffix in (".py", ".cu", ".cuh", ".cpp")
    }
    assert not {name: n for name, n in lines.items() if n > MOST_LINES}
    ours = [n for name, n in lines.items() if name.startswith("hpcsnn/") and not name.endswith("__init__.py")]
    assert statistics.median(ours) <= 125
