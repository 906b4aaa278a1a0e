# What a change is checked with. Each recipe is one plain command: without just, copy the line.

# Style, types and all that needs no compiler: under a minute.
quick:
    python -m pytest -m quick tests/unit tests/project

# Everything that a change must pass but what takes minutes for one test: under half an hour. As in the README.
test *words:
    python -m pytest {{words}}

# The tests that take more than a minute each.
slow:
    python -m pytest -m slow

# Style and types, mended where a tool can mend them.
style:
    python -m ruff check --fix && python -m ruff format && python -m mypy

# The guide as a web site, built anew whenever a page changes.
docs:
    python -m mkdocs serve --strict
