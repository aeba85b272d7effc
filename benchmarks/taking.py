"""Repetitions that take turns, and figures with every one of them kept."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Figure", "figures", "interleaved", "seconds"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One way of doing one thing.

    Attributes:
        stage: What was done.
        way: How.
        unit: "ms/image", "images/s", "views/s", "MB", "KB/image", "s" or "1".
        values: One a repetition, in order.
        ratios: How many times faster than the plain way of the same repetition; empty where there is none.
        note: What else must be known.
    """

    stage: str
    way: str
    unit: str
    values: Sequence[float]
    ratios: Sequence[float] = field(default_factory=list[float])
    note: str = ""


def seconds(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def interleaved(
    ways: Mapping[str, Callable[[int], float]], *, repetitions: int, warm: bool = True
) -> dict[str, list[float]]:
    """What every way gives in every repetition; in each the ways take turns, the next one going first.

    Args:
        ways: Takes the repetition's number and gives a figure.
        repetitions: How often.
        warm: Whether every way is tried once before, unmeasured.
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


def figures(
    stage: str, found: Mapping[str, Sequence[float]], *, unit: str, against: str | None = None
) -> list[Figure]:
    """The figures of a stage; ratios are against one of its ways, repetition by repetition."""
    rate = unit.endswith("/s")
    made = list[Figure]()
    for way, values in found.items():
        base = found[against] if against and way != against else []
        pairs = zip(values, base, strict=False)
        ratios = [value / other if rate else other / value for value, other in pairs]
        made.append(Figure(stage=stage, way=way, unit=unit, values=list(values), ratios=ratios))
    return made
