"""Rules on call that a Trainer calls at the end of each batch."""
