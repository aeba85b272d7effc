"""The command ``embshift``: parses, calls, prints."""
# PYTHON_ARGCOMPLETE_OK

from embshift.cli.main import main, program

__all__ = ["main", "program"]
