"""Measurement: from sources to a finished run folder."""
