"""Lite: the encoder that ships with the package."""
