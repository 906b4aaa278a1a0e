"""What rewiring needs beside the synapses."""
