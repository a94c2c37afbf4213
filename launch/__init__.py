"""Commands: each file here is one, `python -m launch.<name>`; what they are made of stands in the folders."""
