"""Where the page begins, and whether two runs show the same images."""

import math
from collections.abc import Sequence

from embshift.core.errors import UnknownNameError, UsageError
from embshift.show.app.served.run import ServedRun

__all__ = ["check_same_images", "find_start"]

_RECORDED = "recorded"


def find_start(side: ServedRun, text: str) -> tuple[int, str, float | None]:
    """Return image, transform and strength of a text like "17/blur/2.4".

    Args:
        side: The run.
        text: A row, an image id or a name, which may hold slashes; a transform; a number or "recorded".

    Raises:
        UsageError: If the run has no such image or transform, or the transform not this strength.
    """
    parts = text.rsplit("/", 2)
    if len(parts) < 3:
        raise UsageError(f"--at is '{text}'; expected IMAGE/TRANSFORM/STRENGTH, e.g. 17/blur/2.4")
    image, transform, strength = parts
    if transform not in side.transforms:
        raise UnknownNameError("transform", transform, side.transforms)
    return _find_image(side, image), transform, _read_strength(side, transform, strength)


def _find_image(side: ServedRun, image: str) -> int:
    named = {line.name: row for row, line in reversed(side.lines.items())}
    row = side.find_row(int(image)) if image.isascii() and image.isdecimal() and len(image) < 16 else None
    row = side.find_row(image) if row is None else row
    row = named.get(image) if row is None else row
    if row is None:
        raise UsageError(
            f"{side.title} has no usable image '{image}'; give a row (0 to {max(side.lines)}), an image id or"
            " a name"
        )
    return row


def _read_strength(side: ServedRun, transform: str, text: str) -> float | None:
    if text == _RECORDED:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    reach = side.reaches.get(transform)
    ends = None if reach is None else reach.ends
    if reach is not None and value == reach.recorded:
        return None
    if ends is None or not ends[0] <= value <= ends[1]:
        expected = f"{ends[0]:g} to {ends[1]:g}, or {_RECORDED}" if ends else _RECORDED
        raise UsageError(f"strength '{text}' of {transform} cannot be shown; expected {expected}")
    return value


def check_same_images(sides: Sequence[ServedRun]) -> None:
    """Raise `UsageError` where two runs have no image in common."""
    first, *others = sides
    for other in others:
        if not set(first.pairs.ids) & set(other.pairs.ids):
            raise UsageError(
                f"{first.title} and {other.title} have no image in common; give two runs of the same images"
            )
