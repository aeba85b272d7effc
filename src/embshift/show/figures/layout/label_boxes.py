"""Boxes of labels that do not overlap, each as near to its point as the others allow."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

__all__ = ["Box", "is_near", "measure_ties", "place_labels"]

Segment: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""A straight line between two places, in inches."""

_GAP = 0.015
"""Inches between two labels, and between a label and a line."""

_ABOVE, _NEAR = 0.04, 0.08
"""Inches from a point up to its label, and the most that needs no line between them."""

_ASIDE, _STEP = 24, 0.05
"""Places aside that are tried on each side, and inches from one to the next."""

_FAR = 0.02
"""Inches that keep a label above all others clear of them."""

_SHORT = 0.3
"""Ties that are short enough to look for no shorter ones, as `measure_ties` measures them."""

_ORDERS = 40
"""Random orders that are tried beside the sorted ones; the seeds are fixed."""


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

    def holds(self, line: "Segment") -> bool:
        """Return whether a line passes through the box, or nearly does (Liang and Barsky 1984)."""
        (x0, y0), (x1, y1) = line
        start, end = 0.0, 1.0
        for step, low, high in (
            (x1 - x0, self.left - _GAP - x0, self.left + self.width + _GAP - x0),
            (y1 - y0, self.low - _GAP - y0, self.low + self.height + _GAP - y0),
        ):
            if step == 0:
                if low > 0 or high < 0:
                    return False
                continue
            start, end = max(start, min(low / step, high / step)), min(end, max(low / step, high / step))
        return start <= end

    @property
    def foot(self) -> tuple[float, float]:
        """The middle of the lower side."""
        return self.left + self.width / 2, self.low


def is_near(point: tuple[float, float], box: Box) -> bool:
    """Return whether a label stands so close above its point that no line needs to tie them."""
    return box.left <= point[0] <= box.left + box.width and box.low - point[1] <= _NEAR


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    *,
    width: float,
    skyline: Float64[np.ndarray, " columns"] | None = None,
) -> list[Box]:
    """Place each label near its point, above everything that is drawn, and clear of the other labels.

    A label may move aside as well as up; the line that ties it to its point meets no other label, unless the
    only room is above all of them. The caller makes the panel as high as the highest box.

    Args:
        points: The point of each label, in inches from the panel's lower left corner.
        sizes: Width and height of each label in inches.
        width: Width of the panel.
        skyline: Height of what is drawn in columns of one width, from the left side of the panel to the
            right, in inches; nothing where None.
    """
    heights = np.zeros(2) if skyline is None else skyline
    best, least = list[Box](), math.inf
    for order in _list_orders(points):
        boxes = _place_in_order(order, points, sizes, width=width, skyline=heights)
        ties = measure_ties(points, boxes)
        if not best or ties < least:
            best, least = boxes, ties
        if least < _SHORT:
            break
    return best


def measure_ties(points: Sequence[tuple[float, float]], boxes: Sequence[Box]) -> float:
    """Return the length of the longest tie in inches, and half of the mean; infinite if one meets a label.

    A tie leads from a point to its label, where the label does not stand close above it.
    """
    ways = [_measure_way(point, box) for point, box in zip(points, boxes, strict=True)]
    crossed = any(
        other.holds((point, box.foot))
        for at, (point, box) in enumerate(zip(points, boxes, strict=True))
        for other in (*boxes[:at], *boxes[at + 1 :])
        if not is_near(point, box)
    )
    return math.inf if crossed else max(ways, default=0.0) + 0.5 * sum(ways) / max(len(ways), 1)


def _list_orders(points: Sequence[tuple[float, float]]) -> Iterator[list[int]]:
    """Yield orders in which to place the labels; which one leaves the shortest ties is not known before."""
    known = sorted(range(len(points)), key=lambda at: (-points[at][1], points[at][0]))
    yield known
    yield known[::-1]
    by_place = sorted(known, key=lambda at: points[at][0])
    yield by_place
    yield by_place[::-1]
    for seed in range(_ORDERS):
        yield [known[at] for at in np.random.default_rng(seed).permutation(len(known)).tolist()]


def _place_in_order(
    order: Sequence[int],
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    *,
    width: float,
    skyline: Float64[np.ndarray, " columns"],
) -> list[Box]:
    found: dict[int, Box] = {}
    for at in order:
        others = [(points[other], box) for other, box in found.items()]
        found[at] = _find_place(points[at], sizes[at], width=width, skyline=skyline, others=others)
    return [found[at] for at in range(len(points))]


def _find_place(
    point: tuple[float, float],
    size: tuple[float, float],
    *,
    width: float,
    skyline: Float64[np.ndarray, " columns"],
    others: Sequence[tuple[tuple[float, float], Box]],
) -> Box:
    """Return the nearest free box; one above all labels, whose tie may meet them, where there is none."""
    most = max(width - size[0], 0.0)
    lefts = np.clip(point[0] - size[0] / 2 + np.arange(-_ASIDE, _ASIDE + 1) * _STEP, 0.0, most).tolist()
    tops = [box.low + box.height + 1.01 * _GAP for _, box in others]
    best, least = None, math.inf
    for left in sorted(set(lefts), key=lambda left: abs(left + size[0] / 2 - point[0])):
        low = max(_find_ground(skyline, left, left + size[0], width=width), point[1]) + _ABOVE
        for start in sorted({low, *(top for top in tops if top > low)}):
            box = Box(left=left, low=start, width=size[0], height=size[1])
            way = _measure_way(point, box)
            if way >= least:
                break
            if _is_free(point, box, others):
                best, least = box, way
    top = max([point[1], float(skyline.max()), *(box.low + box.height for _, box in others)])
    left = min(max(point[0] - size[0] / 2, 0.0), most)
    return best or Box(left=left, low=top + _ABOVE + _FAR, width=size[0], height=size[1])


def _find_ground(
    skyline: Float64[np.ndarray, " columns"], left: float, right: float, *, width: float
) -> float:
    """Return the height of the skyline below a box."""
    scale = (len(skyline) - 1) / width
    first, last = math.floor((left - _GAP) * scale), math.ceil((right + _GAP) * scale)
    return float(skyline[max(first, 0) : last + 1].max())


def _is_free(point: tuple[float, float], box: Box, others: Sequence[tuple[tuple[float, float], Box]]) -> bool:
    own = (point, box.foot)
    return not any(
        box.meets(other)
        or (not is_near(place, other) and box.holds((place, other.foot)))
        or (not is_near(point, box) and other.holds(own))
        for place, other in others
    )


def _measure_way(point: tuple[float, float], box: Box) -> float:
    """Return how far a label is from its point; a way up is shorter for the eye than one aside."""
    x, y = box.foot
    return math.hypot(1.5 * (x - point[0]), y - point[1])
