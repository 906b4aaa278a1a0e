"""Training without labels or a loss: a layer that learns from samples alone, and a linear classifier behind it."""
