"""The progress of a run, and who receives it."""

import logging
from typing import Protocol, runtime_checkable

__all__ = ["Reporter", "Silent"]

_log = logging.getLogger("embshift")


@runtime_checkable
class Reporter(Protocol):
    """Receives the progress of a run."""

    def note(self, text: str) -> None:
        """Show one line of text."""
        ...

    def begin(self, *, total: int, done: int) -> None:
        """Start: images in the listing, and how many of them are already committed."""
        ...

    def advance(self, *, failed: bool) -> None:
        """Count one more finished image."""
        ...

    def end(self) -> None:
        """End: no more images in this session."""
        ...


class Silent:
    """Writes progress to the standard log only."""

    def note(self, text: str) -> None:
        _log.info("%s", text)

    def begin(self, *, total: int, done: int) -> None:
        _log.info("%d of %d images are done", done, total)

    def advance(self, *, failed: bool) -> None:
        pass

    def end(self) -> None:
        pass
