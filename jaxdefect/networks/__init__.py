"""Layers and networks that several detectors share."""
