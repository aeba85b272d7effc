"""The command ``embshift``: parses, calls, prints."""

from embshift.cli.main import main

__all__ = ["main"]
