"""Studies of scaling: the same network, or a growing one, on many numbers of ranks, measured run by run."""
