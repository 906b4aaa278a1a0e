"""The version, which also stands in what a run leaves on disk."""

__version__ = "0.1.0"
