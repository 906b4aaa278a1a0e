"""Grids cut into tiles: their order along a curve, who owns which, and which are within reach of others."""
