"""Painted surfaces and defects."""
