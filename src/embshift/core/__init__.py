"""Core: types, errors, registry and what else every room may use; imports nothing of the others."""
