"""Who keeps what, and how ranks talk to each other."""
