"""What rules are tested by."""
