"""Sweeps: from a file that says what to sweep to results."""
