"""Thresholds: which cosine tells views of one image from other images."""
