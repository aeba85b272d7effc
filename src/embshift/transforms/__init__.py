"""Transforms: what changes a picture. A registered function, an albumentations class, or a user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from embshift.core.errors import PlanError
from embshift.core.registry import Registry
from embshift.core.types import Pixels, View

__all__ = ["SEVERITIES", "TRANSFORMS", "Strength", "TransformSpec", "transform"]

SEVERITIES = (1, 2, 3, 4, 5)
"""The levels of every transform that has a strength."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """The one physical parameter that says how much a transform does, and its five levels.

    Attributes:
        meaning: What it is, e.g. "angle".
        unit: Its unit; "1" for a pure number.
        least: Least strength that is taken.
        greatest: Greatest strength that is taken.
        severities: The strengths of severities 1 to 5, from mild to severe: rising, or falling as JPEG's
            quality does.
        zero: The strength that leaves the picture as it is; None where there is none.
        paper: The strength of Algorithm 1 of the paper; None for a transform that it does not have.
    """

    meaning: str
    unit: str
    least: float
    greatest: float
    severities: tuple[float, float, float, float, float]
    zero: float | None = None
    paper: float | None = None

    @property
    def usual(self) -> float:
        """What is taken where none is asked for: the paper's, else that of severity 3."""
        return self.severities[2] if self.paper is None else self.paper

    @property
    def rising(self) -> bool:
        """Whether a greater strength does more."""
        return self.severities[0] < self.severities[-1]

    def at(self, severity: int) -> float:
        """The strength of a level.

        Raises:
            PlanError: It is none of 1 to 5.
        """
        if severity not in SEVERITIES:
            raise PlanError(f"severity is {severity}; wanted 1, 2, 3, 4 or 5")
        return self.severities[severity - 1]

    def checked(self, strength: float) -> float:
        """The strength, if it can be taken.

        Raises:
            PlanError: It is out of range.
        """
        if not self.least <= strength <= self.greatest:
            unit = "" if self.unit == "1" else f" {self.unit}"
            raise PlanError(
                f"strength is {strength:g}; wanted {self.least:g} to {self.greatest:g}{unit} ({self.meaning})"
            )
        return float(strength)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformSpec:
    """How a registered transform states itself: a row of ``embshift list transforms``.

    Attributes:
        name: Name in presets, tables and on the command line.
        family: What kind of change it is, e.g. "control".
        summary: One line: what it does to the picture.
        apply: ``(pixels, /, *, rng, **parameters) -> pixels``, or a `View`; random only through ``rng``. One
            with a strength takes it as ``strength``.
        strength: How much it does; None where that cannot be said by one number.
    """

    name: str
    family: str
    summary: str
    apply: Callable[..., Pixels | View]
    strength: Strength | None = None


TRANSFORMS: Registry[TransformSpec] = Registry(
    kind="transform", packages=("embshift.transforms.edits",), group="embshift.transforms"
)

Function = TypeVar("Function", bound=Callable[..., Any])


def transform(
    *, name: str, family: str, summary: str, strength: Strength | None = None
) -> Callable[[Function], Function]:
    """Register a function ``(pixels, /, *, rng, **parameters) -> pixels`` under a name.

    Args:
        name: Its name.
        family: What kind of change it is.
        summary: One line: what it does to the picture.
        strength: How much it does. The function is then always handed ``strength``, and what it draws must
            be the same for every one: a sweep follows one draw.

    Returns:
        A decorator that gives the function back unchanged.

    Raises:
        PlanError: The name is taken.
    """

    def register(function: Function) -> Function:
        spec = TransformSpec(name=name, family=family, summary=summary, apply=function, strength=strength)
        TRANSFORMS.add(name, spec)
        return function

    return register
