"""Running networks in scripts: what a user does with one between two runs."""
