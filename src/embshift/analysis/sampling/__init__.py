"""Sampling: resamples of the images, from which intervals are computed."""
