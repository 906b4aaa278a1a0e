"""Places on grids with either kind of borders, plainly."""

from __future__ import annotations

from typing import Any


def folded(difference: int, side: int) -> int:
    return min(abs(difference), side - abs(difference))


def spans(grid: Any) -> list[range]:
    """Displacements in x and in y: around the torus, or as far as an open grid goes."""
    if grid.borders == "open":
        return [range(1 - side, side) for side in (grid.nx, grid.ny)]
    return [range(-((side - 1) // 2), side // 2 + 1) for side in (grid.nx, grid.ny)]


def moved(grid: Any, neuron: int, dx: int, dy: int) -> int | None:
    """Who is so far away from a neuron; None beyond open borders."""
    x, y = neuron % grid.nx + dx, neuron // grid.nx + dy
    if grid.borders == "open":
        return y * grid.nx + x if 0 <= x < grid.nx and 0 <= y < grid.ny else None
    return y % grid.ny * grid.nx + x % grid.nx


def squared_apart(grid: Any, a: int, b: int) -> int:
    dx, dy = a % grid.nx - b % grid.nx, a // grid.nx - b // grid.nx
    if grid.borders == "open":
        return dx * dx + dy * dy
    return folded(dx, grid.nx) ** 2 + folded(dy, grid.ny) ** 2
