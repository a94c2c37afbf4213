"""Flaws made to order: structured corruption of normal images, for detectors that never see a defect."""
