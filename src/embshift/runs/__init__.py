"""Runs: the run folder, written chunk by chunk, each chunk completely or not at all, and read."""
