"""Levels of a plan: its transforms that have a severity or a strength."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embshift.runs.places import file_in
from embshift.runs.record import MATCH
from embshift.runs.tables import RunTables

__all__ = ["SweptLevel", "is_sweep", "read_levels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptLevel:
    """One transform of the plan that has a strength.

    Attributes:
        name: Its name in the plan.
        transform: The registered transform.
        severity: Level 1-5; None if a strength was requested.
        strength: In the transform's unit.
        unit: Its unit; "1" for a pure number.
        meaning: What the strength is.
        family: The transform's family.
        zero: The strength that leaves the image unchanged; None if there is none.
        rising: Whether a greater strength has a greater effect.
    """

    name: str
    transform: str
    severity: int | None
    strength: float
    unit: str
    meaning: str
    family: str
    zero: float | None
    rising: bool


def read_levels(info: Mapping[str, Any]) -> tuple[SweptLevel, ...]:
    """Return the transforms of a run's plan that have a severity or a strength, from its ``run.json``."""
    stated = info.get("strengths", {})
    return tuple(
        SweptLevel(
            name=each["name"],
            transform=each["target"],
            severity=each["severity"],
            strength=each["strength"],
            **stated[each["target"]],
        )
        for each in info["plan"]["transforms"]
        if each.get("strength") is not None and each.get("target") in stated
    )


def is_sweep(run: RunTables, /) -> bool:
    """Return whether every transform of a run has a level, and some transform several.

    What ``embshift match`` has measured is none: its levels are solved for equal damage.
    """
    levels = read_levels(run.info)
    several = len({one.transform for one in levels}) < len(levels)
    return several and len(levels) == len(run.transforms) and not file_in(run.folder, MATCH).exists()
