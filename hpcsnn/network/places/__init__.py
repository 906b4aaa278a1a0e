"""Where neurons are that are not on one grid: two grids over each other, and positions on none."""
