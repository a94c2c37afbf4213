"""What every command shares, and what knows no detector: start, console, config, files, timing."""
