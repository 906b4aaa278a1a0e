"""A rank's part of a layer of hypercolumns, and how the layer is wired anew."""
