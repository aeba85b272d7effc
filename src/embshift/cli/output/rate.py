"""The rate of a run and the time it still needs, from what was finished lately."""

from collections import deque
from typing import final

__all__ = ["Rate", "format_left"]

_WINDOW = 30.0  # seconds that the rate is measured over
_WARM_UP = 5.0  # seconds after the first finished image before a rate is known
_STEP = 0.5  # seconds between two marks


@final
class Rate:
    """Measures images a second over the last 30 seconds.

    The time before the first finished image counts nowhere: it goes into opening the encoder, starting
    workers and filling the first batch, and would pass for slow images.
    """

    def __init__(self) -> None:
        self._done = 0
        self._marks = deque[tuple[float, int]]()  # the begin of a step, and the images finished at its end

    def advance(self, *, now: float) -> None:
        """Count one more finished image.

        Args:
            now: Seconds of a clock that never goes back.
        """
        self._done += 1
        if self._marks and now - self._marks[-1][0] < _STEP:
            # Images come in batches: a batch belongs to the time before it, whole.
            self._marks[-1] = (self._marks[-1][0], self._done)
            return
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and now - self._marks[1][0] >= _WINDOW:
            self._marks.popleft()

    def measure(self, *, now: float) -> float | None:
        """Return images a second; None until it is known."""
        if not self._marks:
            return None
        (began, before), (ended, after) = self._marks[0], self._marks[-1]
        # Up to the last batch, or between two of them the rate would fall; but a run that stands still shows.
        ended = now if now - ended > _WINDOW else ended
        return (after - before) / (ended - began) if ended - began >= _WARM_UP and after > before else None

    def estimate_left(self, images: int, *, now: float) -> float | None:
        """Return the seconds that some more images take; None until the rate is known."""
        rate = self.measure(now=now)
        return None if rate is None else images / rate


def format_left(seconds: float | None) -> str:
    """Format the time left, e.g. "45 s", "12 min" or "3.5 h"; "…" while it is unknown."""
    if seconds is None:
        return "…"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
