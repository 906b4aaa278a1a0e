"""What a rank records: rows that kernels write, taken into memory, and handed out in order."""
