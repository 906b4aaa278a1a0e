"""Tests stand alone: what several share is in `support`, and what one needs of hpcsnn is public."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

TESTS = Path(__file__).parent.parent
FILES = sorted(set(TESTS.rglob("*.py")) - {Path(__file__)})  # of which this one has examples
_PRIVATE = re.compile(r"_[A-Za-z]\w*(?<!_)")  # ctypes says _fields_ of what is public
# In text, as patches and the scripts of ranks name it: of hpcsnn's modules, or of anything but self and os.
_PRIVATE_OF_HPCSNN = re.compile(r"\bhpcsnn[\w.]*\._[A-Za-z]\w*")
_PRIVATE_OF_ANYTHING = re.compile(r"\b(?!self\.|os\.)\w+\._[A-Za-z]\w*")
_IMPORTED_TEST = re.compile(r"^\s*(?:from|import)\s+(?:\w+\.)*test_\w+", flags=re.MULTILINE)


def texts(tree):
    """Every string, and f-strings by their parts."""
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def imported(tree):
    """Every name that an import statement mentions, in full."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def attributes(tree):
    """Private attributes of anything but what a class says of itself, and those that a call names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _PRIVATE.fullmatch(node.attr):
            of = ast.unparse(node.value)
            if of not in ("self", "cls", "super()"):
                yield f"{of}.{node.attr}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("getattr", "setattr", "delattr")):
            named = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            yield from (name for name in named if isinstance(name, str) and _PRIVATE.fullmatch(name.split(".")[-1]))


def imports_of_tests(text):
    """What a test module says that imports another one."""
    tree = ast.parse(text)
    names = [name for name in imported(tree) if any(part.startswith("test_") for part in name.split("."))]
    return names + [found[0].strip() for script in texts(tree) for found in _IMPORTED_TEST.finditer(script)]


def private_names(text):
    """What a test module reaches into that is not public."""
    tree = ast.parse(text)
    names = [name for name in imported(tree) if any(_PRIVATE.fullmatch(part) for part in name.split("."))]
    names += attributes(tree)
    for script in texts(tree):
        names += _PRIVATE_OF_HPCSNN.findall(script)
        if re.search(r"^\s*(from|import) ", script, flags=re.MULTILINE) and "\n" in script:
            names += _PRIVATE_OF_ANYTHING.findall(script)
    return names


def test_no_test_imports_another():
    assert len(FILES) > 40
    found = {str(path.relative_to(TESTS)): imports_of_tests(path.read_text()) for path in FILES}
    assert not {path: names for path, names in found.items() if names}


def test_no_test_reaches_into_what_is_private():
    found = {str(path.relative_to(TESTS)): private_names(path.read_text()) for path in FILES}
    assert not {path: names for path, names in found.items() if names}


def keywords(text):
    """Keywords of calls, as ``function(keyword``; a method without what it is of."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return {f"{ast.unparse(call.func).split('.')[-1]}({keyword.arg}" for call in calls for keyword in call.keywords}


def test_limits_and_examples_do_not_depend_on_the_machine():
    """Processes get their limits from `support.processes`, hypothesis its profile from `conftest`."""
    own = {"run(timeout", "check_output(timeout", "communicate(timeout"}
    own |= {f"settings({name}" for name in ("deadline", "derandomize", "database", "suppress_health_check")}
    tests = [path for path in FILES if path.name.startswith("test_")]
    found = {str(path.relative_to(TESTS)): keywords(path.read_text()) & own for path in tests}
    assert not {path: names for path, names in found.items() if names}
    assert keywords("settings(max_examples=3, deadline=None); process.communicate(timeout=3)") & own == {
        *("settings(deadline", "communicate(timeout")
    }


@pytest.mark.parametrize(
    "text",
    [
        "from test_other import thing",
        "import tests.runs.test_other",
        "from tests.runs import test_other",
        'SCRIPT = """\nimport os\nfrom test_other import thing\n"""',
    ],
)
def test_an_import_of_a_test_is_found(text):
    assert len(imports_of_tests(text)) == 1
    assert not imports_of_tests(text.replace("test_other", "other"))


@pytest.mark.parametrize(
    "text",
    [
        "from hpcsnn.runs.progress import _EVERY",
        "progress._EVERY = 0",
        "simulation.state._arrays",
        'monkeypatch.setattr(progress, "_EVERY", 0)',
        'PATCHED = "hpcsnn.runs.progress." "_EVERY"',
        'SCRIPT = """\nfrom hpcsnn.runs import progress\nprogress._EVERY = 0\n"""',
    ],
)
def test_a_private_name_is_found(text):
    assert len(private_names(text)) == 1
    assert not private_names(text.replace("_EVERY", "EVERY").replace("_arrays", "arrays"))
