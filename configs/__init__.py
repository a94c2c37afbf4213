"""One file per detector: its settings with their defaults, and presets. `base` holds every other field."""
