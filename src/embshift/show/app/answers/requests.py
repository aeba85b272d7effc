"""What the app answers, and what it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from embshift.show.app.served.live import Live
from embshift.show.app.served.run import ServedRun

__all__ = ["DROPPED", "Desk", "RefusedError", "check_number", "check_transform"]

DROPPED = "dropped"
"""In place of a row: the image that was dropped on the page."""


class RefusedError(Exception):
    """A request that is answered with a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Desk:
    """What all answers are made from.

    Attributes:
        sides: One run, or two of the same images.
        command: The command that starts the app again, up to its options.
        notes: What a user must know of the runs.
        start: Image, transform and strength that are open first.
        thumbs: Thumbnails that were made, by what was asked.
        overview: The answer about the runs, once it was asked for.
        lock: Held while thumbnails are looked up or kept.
    """

    sides: Sequence[ServedRun]
    command: str
    notes: Sequence[str] = ()
    start: tuple[int, str, float | None] | None = None
    thumbs: dict[tuple[int | None, str, int], bytes] = field(
        default_factory=dict[tuple[int | None, str, int], bytes]
    )
    overview: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    lock: Lock = field(default_factory=Lock)

    @property
    def first(self) -> ServedRun:
        """The run whose rows the page counts by."""
        return self.sides[0]

    def find_side(self, encoder: object) -> ServedRun:
        """Return one of the runs by its number."""
        return self.sides[check_number(encoder, "encoder", 0, len(self.sides) - 1)]

    def find_row(self, image: object) -> int:
        """Return the row of a row's number or an image id."""
        row = self.first.find_row(image)
        if row is None:
            raise RefusedError(404, f"the run has no usable image {str(image)[:80]!r}")
        return row

    def list_live(self) -> list[Live]:
        """Return what is live in the runs."""
        return [side.live for side in self.sides if side.live is not None]


def check_number(value: object, name: str, least: int, most: int) -> int:
    """Return a whole number in a range.

    Raises:
        RefusedError: If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RefusedError(
            422, f"{name} is {str(value)[:40]!r}; expected a whole number from {least} to {most}"
        )
    return value


def check_transform(side: ServedRun, name: object) -> str:
    """Return the name of a transform of a run.

    Raises:
        RefusedError: If the run has no such transform.
    """
    if not isinstance(name, str) or name not in side.transforms:
        known = ", ".join(side.transforms)
        raise RefusedError(404, f"the run has no transform {str(name)[:80]!r}; it has {known}")
    return name
