"""The progress of a run, and who receives it."""

import logging
from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

__all__ = ["OnStep", "Reporter", "Silent", "ignore_step"]

_log = logging.getLogger("embshift")

OnStep: TypeAlias = Callable[[str], None]
"""Receives the name of the step that begins, e.g. "retrieval"."""


def ignore_step(name: str, /) -> None:
    """Receive a step and do nothing."""


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
