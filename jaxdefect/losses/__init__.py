"""What networks descend: reconstruction losses, and the losses of adversaries."""
