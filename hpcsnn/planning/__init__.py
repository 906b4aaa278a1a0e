"""How much a run needs."""
