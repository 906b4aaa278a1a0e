"""``python -m hpcsnn.cli``."""

from hpcsnn.cli.app import app

app()
