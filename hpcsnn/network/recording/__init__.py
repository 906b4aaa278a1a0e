"""What is recorded of a network beside its events: what users ask for, and where each of it is."""
