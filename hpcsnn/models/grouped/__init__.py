"""Neurons that stand in groups: what a model asks of its group in each step, and models that do."""
