"""Numbers as they come in, from Python or a configuration: taken as they are, or refused."""

from __future__ import annotations

# The largest numbers that constants and variables hold in kernels: as float32, and as 32-bit whole numbers.
LARGEST_NUMBER, LARGEST_WHOLE = (2.0 - 2.0**-23) * 2.0**127, 2**31 - 1
