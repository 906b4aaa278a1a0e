"""What a run has left, in forms of others: Neo and SONATA. What each needs is imported where it is asked for."""
