"""Statistics and figures of runs."""
