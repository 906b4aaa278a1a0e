"""Experiments as YAML."""
