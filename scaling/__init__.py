"""Measurements of speed and memory; nothing here is asserted in a test. Results lie in ``scaling/results/``."""
