"""The command ``embshift``: parses, calls, prints."""

from embshift.cli.main import main, program

__all__ = ["main", "program"]
