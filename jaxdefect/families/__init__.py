"""What several detectors are but for a few functions; each returns a Detector."""
