"""Shifts: statistics of the shift table."""
