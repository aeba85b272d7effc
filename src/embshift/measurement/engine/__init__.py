"""Spread: the pending chunks of a run over processes; every engine commits the same rows."""
