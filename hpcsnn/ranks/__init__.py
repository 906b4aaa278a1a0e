"""Who keeps what, and how ranks talk."""
