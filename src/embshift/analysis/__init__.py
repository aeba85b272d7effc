"""Analysis: a run's tables become statistics. Never imports torch."""
