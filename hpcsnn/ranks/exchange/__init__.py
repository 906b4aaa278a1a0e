"""What ranks send each other while a network runs: spikes, and values of neurons."""
