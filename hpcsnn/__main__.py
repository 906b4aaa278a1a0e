"""``python -m hpcsnn``: the command line."""

from hpcsnn.cli.app import app

app(prog_name="hpcsnn")
