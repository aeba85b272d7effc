"""Strengths solved for equal damage, as ``match.json`` holds them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embshift.core.errors import RunError

__all__ = ["DISPLACEMENT", "SSIM", "TOLERANCES", "Solved", "SolvedLevel", "read_solved"]

SSIM, DISPLACEMENT = "ssim", "displacement"
"""Measures of damage: similarity where no pixel moves, else the mean displacement of the pixels."""

TOLERANCES = {SSIM: 0.005, DISPLACEMENT: 0.01}
"""Tolerance of the mean damage around its target: of SSIM as it is, of displacement as a share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedLevel:
    """One strength near the wanted damage.

    Attributes:
        name: Name in the plan.
        strength: The strength.
        damage: Damage of each image that strengths are solved on; NaN where undefined.
    """

    name: str
    strength: float
    damage: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A transform's strengths around one amount of damage.

    Attributes:
        transform: The registered transform.
        family: Its family.
        kind: "ssim" or "displacement".
        target: The requested mean structural similarity, or mean displacement in pixels.
        unit: Unit of the strength.
        strength: The strength that a first look at the images gives; None if the target cannot be reached.
        achieved: The mean that this strength reaches; if the target cannot be reached, that of the nearest
            strength.
        why: Why the target cannot be reached; empty if it is.
        levels: The strengths to measure: one milder, this one, one more severe; fewer at the ends of the
            range, and for a transform with few steps.
    """

    transform: str
    family: str
    kind: str
    target: float
    unit: str
    strength: float | None = None
    achieved: float = math.nan
    why: str = ""
    levels: tuple[SolvedLevel, ...] = ()

    @property
    def label(self) -> str:
        """The suffix of its name in the plan: "ssim90", "px10"."""
        if self.kind == SSIM:
            return f"ssim{100 * self.target:g}".replace(".", "_").replace("-", "m")
        return f"px{self.target:g}".replace(".", "_")

    @property
    def tolerance(self) -> float:
        """How far the mean damage may be from its target."""
        share = TOLERANCES[self.kind]
        return share if self.kind == SSIM else share * self.target


def read_solved(content: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Solved, ...]]:
    """Return the ids of the images that strengths are solved on, and the strengths, from ``match.json``.

    Raises:
        RunError: If the file was written by an earlier version.
    """
    if "images" not in content:
        raise RunError("match.json is of an earlier version; match again into a new folder")
    return tuple(content["images"]), tuple(_solved(dict(each)) for each in content["solved"])


def _solved(content: dict[str, Any]) -> Solved:
    achieved, levels = content.pop("achieved"), content.pop("levels")
    return Solved(**content, achieved=_number(achieved), levels=tuple(_level(each) for each in levels))


def _level(content: Mapping[str, Any]) -> SolvedLevel:
    damage = tuple(_number(each) for each in content["damage"])
    return SolvedLevel(name=content["name"], strength=float(content["strength"]), damage=damage)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
