"""What learns without a loss, as it is declared: layers of hypercolumns."""
