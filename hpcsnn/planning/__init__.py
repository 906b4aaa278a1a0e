"""How much a run needs, before anything runs."""
