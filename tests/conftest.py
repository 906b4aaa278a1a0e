"""Which tests begin first: those that mostly wait, so that others can use the processor meanwhile."""

from __future__ import annotations

WAITING = ("test_slurm.py", "test_launch.py", "test_kill.py")


def pytest_collection_modifyitems(items):
    """Files that wait come first, in this order; the others stay as they were."""
    order = {name: place for place, name in enumerate(WAITING)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
