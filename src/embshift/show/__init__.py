"""Show: the run object, text tables, figures and the report. Never imports torch."""
