"""What commands say, as plain data: tables are drawn of it, and ``--json`` prints it."""
