"""What a rank holds and does for training, beside the network itself."""
