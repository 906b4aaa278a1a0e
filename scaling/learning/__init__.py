"""What each learning rule comes to, by data and connectivity."""
