"""Lite: the encoder inside the package."""
