"""Code that README and guide share with the examples is the examples', letter by letter."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
EXAMPLES = {path.name: path for path in (ROOT / "examples").glob("*.py")}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_QUOTE = re.compile(r"^```python\n# (?:examples/)?(\w+\.py)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def code(path):
    """An example behind its docstring."""
    text = path.read_text()
    docstring = ast.parse(text).body[0]
    return "\n".join(text.splitlines()[docstring.end_lineno :]).strip() + "\n"


def quotes(page):
    return [(name, text) for name, text in _QUOTE.findall(page.read_text()) if name in EXAMPLES]


@pytest.mark.parametrize(
    ("name", "text"),
    [pytest.param(*quote, id=f"{page.name}-{quote[0]}") for page in PAGES for quote in quotes(page)],
)
def test_what_is_quoted_is_the_example(name, text):
    assert text == code(EXAMPLES[name])


def test_every_example_is_quoted_and_listed():
    quoted = {name for page in PAGES for name, _ in quotes(page)}
    assert quoted == set(EXAMPLES)
    listed = set(re.findall(r"^\| `(\w+\.py)` \|", (ROOT / "docs" / "examples.md").read_text(), flags=re.MULTILINE))
    assert listed == set(EXAMPLES)


def test_every_python_block_of_the_readme_is_an_example():
    blocks = re.findall(r"^```python\n", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    assert len(quotes(ROOT / "README.md")) == len(blocks) >= 3
