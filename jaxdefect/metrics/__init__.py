"""Thresholds, and figures of how good scores, decisions and boxes are."""
