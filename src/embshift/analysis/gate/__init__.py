"""The gate: budgets held against a run and its baseline, with verdicts that never flicker."""
