"""Sampling: resamples of the images, for intervals."""
