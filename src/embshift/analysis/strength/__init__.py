"""Strength: shifts against severity, and at equal damage."""
