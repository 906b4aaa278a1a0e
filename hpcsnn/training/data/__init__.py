"""Training data: spike trains with labels or targets, how values become spikes, and every data set that is known."""
