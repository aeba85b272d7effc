"""Analysis: statistics computed from the tables of a run. Never imports torch."""
