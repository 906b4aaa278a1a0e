"""What rewiring needs beside the synapses: its arrays, and its stages on the host."""
