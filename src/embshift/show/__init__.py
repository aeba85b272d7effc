"""Show: tables, figures and the report of a run. Never imports torch."""
