"""Transforms change an image: registered functions, classes of albumentations, or a user's own functions."""

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
    """The one physical parameter that sets how much a transform does, and its five levels.

    Attributes:
        meaning: What the parameter is, e.g. "angle".
        unit: Its unit; "1" for a pure number.
        least: The smallest strength that is accepted.
        greatest: The largest strength that is accepted.
        severities: The strengths of severities 1 to 5, from mild to severe: rising, or falling as with JPEG's
            quality.
        zero: The strength that leaves the image unchanged; None if there is none.
        paper: The strength in Algorithm 1 of the paper; None for a transform that the paper does not use.
    """

    meaning: str
    unit: str
    least: float
    greatest: float
    severities: tuple[float, float, float, float, float]
    zero: float | None = None
    paper: float | None = None

    @property
    def default(self) -> float:
        """The strength if none is asked for: the paper's, otherwise that of severity 3."""
        return self.severities[2] if self.paper is None else self.paper

    @property
    def rising(self) -> bool:
        """Whether a larger strength changes the image more."""
        return self.severities[0] < self.severities[-1]

    def at(self, severity: int) -> float:
        """Return the strength of a severity.

        Raises:
            PlanError: If the severity is not one of 1 to 5.
        """
        if severity not in SEVERITIES:
            raise PlanError(f"severity is {severity}; expected 1, 2, 3, 4 or 5")
        return self.severities[severity - 1]

    def check(self, strength: float) -> float:
        """Return a strength if it lies in the range.

        Raises:
            PlanError: If it is out of range.
        """
        if not self.least <= strength <= self.greatest:
            unit = "" if self.unit == "1" else f" {self.unit}"
            expected = f"{self.least:g} to {self.greatest:g}{unit} ({self.meaning})"
            raise PlanError(f"strength is {strength:g}; expected {expected}")
        return float(strength)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformSpec:
    """The description of a registered transform: a row of ``embshift list transforms``.

    Attributes:
        name: Name in presets, tables and on the command line.
        family: The kind of change, e.g. "control".
        summary: One line: what it does to the image.
        apply: ``(pixels, /, *, rng, **parameters)`` to pixels or a `View`; random only through ``rng``. A
            transform with a strength takes it as ``strength``.
        strength: How much it does; None if one number cannot express that.
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
        family: The kind of change, e.g. "photometric".
        summary: One line: what it does to the image.
        strength: How much it does. The function is then always given ``strength``, and must draw the same
            random numbers for every strength, so that a sweep follows one draw.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        PlanError: If the name is taken.
    """

    def register(function: Function) -> Function:
        spec = TransformSpec(name=name, family=family, summary=summary, apply=function, strength=strength)
        TRANSFORMS.add(name, spec)
        return function

    return register
