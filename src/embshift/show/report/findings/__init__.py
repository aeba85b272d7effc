"""Findings: the sentences of the report, each a function of a run's facts."""
