"""Help of the command line: its layout, and how it is printed."""

import argparse
import sys
from typing import TYPE_CHECKING

from embshift.cli.output.terminal import check_output

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

__all__ = ["Help", "Parser"]


class Help(argparse.HelpFormatter):
    """Help in 100 columns."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=100)
        self._action_max_length = 14  # argparse leaves too little for the names of commands


class Parser(argparse.ArgumentParser):
    """A parser that prints its help like any other result."""

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        """Print help as a result: argparse says nothing where an output takes no more."""
        if file is not sys.stdout or file is None:
            return super()._print_message(message, file)
        with check_output():
            file.write(message)
        return None
