"""Models and the templates under ``kernels/`` become source and schedule."""
