"""Towers: image towers of checkpoints, one family a module."""
