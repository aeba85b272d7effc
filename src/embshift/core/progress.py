"""Who is told how a run goes."""

import logging
from typing import Protocol, runtime_checkable

__all__ = ["Reporter", "Silent"]

_log = logging.getLogger("embshift")


@runtime_checkable
class Reporter(Protocol):
    """Who is told how a run goes."""

    def note(self, text: str) -> None:
        """One line for people."""
        ...

    def begin(self, *, total: int, done: int) -> None:
        """Work starts: pictures in the listing, and those already committed."""
        ...

    def advance(self, *, failed: bool) -> None:
        """One more picture is finished."""
        ...

    def end(self) -> None:
        """No more pictures in this session."""
        ...


class Silent:
    """Tells the log of the module ``logging``, and nobody else."""

    def note(self, text: str) -> None:
        _log.info("%s", text)

    def begin(self, *, total: int, done: int) -> None:
        _log.info("%d of %d pictures are done", done, total)

    def advance(self, *, failed: bool) -> None:
        pass

    def end(self) -> None:
        pass
