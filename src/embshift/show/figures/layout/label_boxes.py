"""Boxes of labels that do not overlap, each as near to its point as the others allow."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Box", "place_labels"]

_GAP = 0.015
"""Inches between two labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A label's rectangle, in inches from the panel's lower left corner.

    Attributes:
        left: Left side.
        low: Lower side.
        width: Inches across.
        height: Inches up.
    """

    left: float
    low: float
    width: float
    height: float

    def meets(self, other: "Box") -> bool:
        """Return whether two boxes overlap, or nearly do."""
        return (
            self.left < other.left + other.width + _GAP
            and other.left < self.left + self.width + _GAP
            and self.low < other.low + other.height + _GAP
            and other.low < self.low + self.height + _GAP
        )


def place_labels(
    points: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], *, width: float
) -> list[Box]:
    """Place each label above its point, centred on it, as low as is free, between the panel's sides.

    There is always room further up; the caller makes the panel as high as the highest box.

    Args:
        points: The point of each label, in inches from the panel's lower left corner.
        sizes: Width and height of each label in inches.
        width: Width of the panel.
    """
    found: dict[int, Box] = {}
    # The highest points come first: the label of a lower point cannot pass below a label already placed.
    for at in sorted(range(len(points)), key=lambda at: (-points[at][1], points[at][0])):
        x, y = points[at]
        across, up = sizes[at]
        left = min(max(x - across / 2, 0.0), max(width - across, 0.0))
        box = Box(left=left, low=y + 0.04, width=across, height=up)
        while any(box.meets(other) for other in found.values()):
            over = [other.low + other.height for other in found.values() if box.meets(other)]
            box = Box(left=left, low=max(over) + 1.01 * _GAP, width=across, height=up)
        found[at] = box
    return [found[at] for at in range(len(points))]
