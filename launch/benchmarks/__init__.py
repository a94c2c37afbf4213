"""Measurements of speed and memory; `launch.bench` runs them."""
