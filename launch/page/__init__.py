"""Pages: one HTML file each."""
