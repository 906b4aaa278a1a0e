"""One rank of a running network: its state and its stages."""
