"""What training costs, beside other ways to train the same networks."""
