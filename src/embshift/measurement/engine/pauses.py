"""Pauses: how long this process was stopped, as by Ctrl-Z or a debugger, while the clock went on."""

import threading
import time
from collections.abc import Callable
from typing import final

__all__ = ["Pauses"]

_BEAT = 0.5  # seconds between two looks at the clock
_LEAST = 3.0  # seconds: less may be a busy machine


@final
class Pauses:
    """A thread that looks at the clock, held open: where it did not for seconds, nothing ran.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._last, self._total = clock, clock(), 0.0
        self._ended, self._lock = threading.Event(), threading.Lock()

    def start(self) -> "Pauses":
        """Begin to look at the clock, twice a second."""
        threading.Thread(target=self._beat, name="embshift-pauses", daemon=True).start()
        return self

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT):
            self.total()

    def total(self) -> float:
        """Return the seconds that this process was stopped so far."""
        with self._lock:
            now = self._clock()
            gap, self._last = now - self._last, now
            self._total += gap if gap > _LEAST else 0.0
            return self._total

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
