"""Experiments as YAML, and the messages about what is wrong with them."""
