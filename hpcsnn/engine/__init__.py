"""One rank of a running network."""
