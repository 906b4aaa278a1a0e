"""The data sets themselves: a file each family. A file here that has a `DataSet` is all that a new one takes."""
