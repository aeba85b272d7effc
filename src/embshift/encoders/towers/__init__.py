"""Towers: image towers of checkpoints, in one module per family or group of families."""
