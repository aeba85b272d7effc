"""Timing of variants that take turns, and figures that keep every repetition."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Figure", "interleave", "make_figures", "time_call"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One quantity, measured for one variant.

    Attributes:
        stage: What was measured.
        way: The variant.
        unit: "ms/image", "ms/view", "images/s", "views/s", "MB", "KB/image", "ms/chunk", "s" or "1".
        values: One for each repetition, in order.
        ratios: How many times faster than the plain variant in the same repetition; empty if there is none.
        note: What a reader must know besides the numbers.
    """

    stage: str
    way: str
    unit: str
    values: Sequence[float]
    ratios: Sequence[float] = field(default_factory=list[float])
    note: str = ""


def time_call(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def interleave(
    ways: Mapping[str, Callable[[int], float]], *, repetitions: int, warm: bool = True
) -> dict[str, list[float]]:
    """Run all variants in turns and return the result of each in every repetition.

    Each repetition starts with the next variant.

    Args:
        ways: A function for each variant; it takes the number of the repetition and returns a result.
        repetitions: Number of repetitions.
        warm: Whether to run every variant once before, without recording its result.
    """
    for way in ways.values() if warm else ():
        way(0)
    names = list(ways)
    found: dict[str, list[float]] = {name: [] for name in names}
    for repetition in range(repetitions):
        first = repetition % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(ways[name](repetition))
    return found


def make_figures(
    stage: str, found: Mapping[str, Sequence[float]], *, unit: str, against: str | None = None
) -> list[Figure]:
    """Return the figures of a stage, with ratios against one of its variants, repetition by repetition."""
    rate = unit.endswith("/s")
    made = list[Figure]()
    for way, values in found.items():
        base = found[against] if against and way != against else []
        pairs = zip(values, base, strict=False)
        ratios = [value / other if rate else other / value for value, other in pairs]
        made.append(Figure(stage=stage, way=way, unit=unit, values=list(values), ratios=ratios))
    return made
