"""Plan: what a run does, frozen and checked before any work starts."""
