"""Statistics of normal images, folded image by image; distances between sets of features."""
