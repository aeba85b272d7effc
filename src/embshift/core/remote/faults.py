"""Faults of reading from an address, and the waits between tries."""

from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["PASSING", "PATIENCE", "PassingError", "Patience", "read_wait"]

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses of HTTP for which another try can fare better."""


class PassingError(Exception):
    """A fault that may pass, such as an answer that is cut off.

    Attributes:
        wait: Seconds that the server asks to wait; 0 for none.
    """

    def __init__(self, text: str, *, wait: float = 0.0) -> None:
        super().__init__(text)
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server is asked again.

    Attributes:
        tries: Tries in all.
        first_wait: Seconds before the second; each further wait is twice as long.
        longest_wait: Seconds that a wait may take, also where the server asks for one.
        connect: Seconds for a connection.
        answer: Seconds for one whole answer.
        total: Seconds after which no further try begins.
    """

    tries: int = 6
    first_wait: float = 0.5
    longest_wait: float = 60.0
    connect: float = 10.0
    answer: float = 120.0
    total: float = 300.0


PATIENCE = Patience()


def read_wait(text: str, /) -> float:
    """Return the seconds of a header Retry-After, which states seconds or a date; 0 for anything else."""
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    from email.utils import parsedate_to_datetime  # only now: it delays every start of the command

    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
