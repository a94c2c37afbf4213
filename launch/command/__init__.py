"""What every command shares, and what knows no detector: its command line, start, console, configuration, files,
timing; and how all of it is made a wheel."""
