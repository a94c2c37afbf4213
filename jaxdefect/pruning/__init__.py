"""Smaller detectors from trained ones."""
