"""What every command shares, and what knows no detector: start, console, configuration, files, timing."""
