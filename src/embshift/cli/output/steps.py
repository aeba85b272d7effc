"""The step under way, on standard error; rich is not loaded for it."""

import sys
import time
from typing import final

from embshift.cli.output.terminal import harmless, print_message

__all__ = ["Steps"]

_EVERY = 10.0  # seconds between plain lines


@final
class Steps:
    """Shows the step under way: one line, rewritten on a terminal; elsewhere a line every ten seconds."""

    def __init__(self, subject: str, *, quiet: bool) -> None:
        self._subject, self._quiet = subject, quiet
        self._terminal = sys.stderr.isatty()
        self._shown = time.monotonic()

    def __call__(self, name: str, /) -> None:
        """Show a step that begins."""
        if self._quiet:
            return
        line, now = f"{self._subject}: {name}", time.monotonic()
        if self._terminal:
            self.clear()
            print(harmless(line), end="", file=sys.stderr, flush=True)
        elif now - self._shown >= _EVERY:
            self._shown = now
            print_message(line)

    def clear(self) -> None:
        """Remove the line from a terminal, before anything else is printed."""
        if self._terminal and not self._quiet:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
