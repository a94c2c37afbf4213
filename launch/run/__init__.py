"""One run, in the order of the data."""
