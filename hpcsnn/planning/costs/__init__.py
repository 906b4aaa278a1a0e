"""What work, messages, waiting and construction cost, each fitted to what ranks took."""
