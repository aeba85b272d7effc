"""Runs: the run folder, written chunk by chunk, whole or not at all, and read."""
