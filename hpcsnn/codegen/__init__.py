"""Models and kernels become source and schedule."""
