"""A Zarr group in one file: a zip whose entries are not compressed again, each rank's written by itself."""
