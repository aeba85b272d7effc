"""A registered transform at one strength: what a severity means, and whose random stream it follows."""

from dataclasses import dataclass, replace

import numpy as np

from embshift.core.errors import PlanError
from embshift.core.types import Pixels, Transform, View
from embshift.transforms import TRANSFORMS, Strength, TransformSpec
from embshift.transforms.functions import as_transform
from embshift.transforms.plan import TransformPlan

__all__ = [
    "Level",
    "Levelled",
    "at_strength",
    "level_of",
    "levelled_plan",
    "read_level",
    "settled",
    "stream_of",
    "with_strength",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How much one transform of a plan does.

    Attributes:
        severity: Level 1-5; None where a strength was asked for, or nothing.
        strength: In the transform's unit; None for a transform without one.
    """

    severity: int | None = None
    strength: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levelled:
    """A registered transform at one strength.

    Attributes:
        inner: The transform at that strength.
        level: How much it does.
        stream: The name whose random stream it follows; None for its name in the plan.
        untouched: Whether this strength leaves the picture as it is.
    """

    inner: Transform
    level: Level
    stream: str | None
    untouched: bool

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        if self.untouched:
            return View(pixels=pixels, parameters={})
        return self.inner(pixels, rng=rng)


def at_strength(spec: TransformSpec, *, plan: TransformPlan) -> Transform:
    """The registered transform as the plan wants it.

    Where the plan asks for a severity or a strength, the stream is that of the registered name: the same
    draw at every level, whatever the plan calls them.

    Raises:
        PlanError: The transform has no strength, or not this one.
    """
    if spec.strength is None:
        if plan.severity is not None or plan.strength is not None:
            raise PlanError(f"{spec.name} has no strength; leave 'severity' and 'strength' out")
        return as_transform(spec.apply, parameters=plan.parameters)
    if "strength" in plan.parameters:
        raise PlanError(f"the strength of {spec.name} stands beside its name, not among its parameters")
    asked = plan.severity is not None or plan.strength is not None
    strength = _strength(spec.name, spec.strength, severity=plan.severity, strength=plan.strength)
    return Levelled(
        inner=as_transform(spec.apply, parameters={**plan.parameters, "strength": strength}),
        level=Level(severity=plan.severity, strength=strength),
        stream=spec.name if asked else None,
        untouched=strength == spec.strength.zero,
    )


def _strength(name: str, known: Strength, *, severity: int | None, strength: float | None) -> float:
    try:
        if severity is None:
            return known.usual if strength is None else known.checked(strength)
        level = known.at(severity)
    except PlanError as error:
        raise PlanError(f"{name}: {error}") from error
    if strength is not None and strength != level:
        raise PlanError(
            f"{name}: severity {severity} is strength {level:g}, and {strength:g} is given;"
            " leave one of them out"
        )
    return level


def level_of(transform: Transform) -> Level:
    """How much a transform does; nothing is known of one without strength."""
    return transform.level if isinstance(transform, Levelled) else Level()


def stream_of(transform: Transform, name: str) -> str:
    """The name whose random stream a transform of a plan follows.

    Args:
        transform: The transform.
        name: Its name in the plan.
    """
    return (transform.stream or name) if isinstance(transform, Levelled) else name


def levelled_plan(
    name: str, *, severity: int | None = None, strength: float | None = None, label: str = ""
) -> TransformPlan:
    """The plan of a registered transform at a severity or a strength, under a name of its own.

    Args:
        name: A registered transform that has a strength.
        severity: Level 1-5.
        strength: In the transform's unit.
        label: What to call it behind its name; ``s3`` for severity 3, ``x2_5`` for strength 2.5 where empty.

    Raises:
        PlanError: It has no strength, or not this one.
        UnknownNameError: There is no such transform.
    """
    spec = TRANSFORMS[name]
    if spec.strength is None:
        raise PlanError(f"{name} has no strength; only {', '.join(with_strength())} have one")
    found = _strength(name, spec.strength, severity=severity, strength=strength)
    own = label or (f"s{severity}" if severity is not None else f"x{_in_name(found)}")
    return TransformPlan(
        name=f"{name}_{own}", kind="registered", target=name, severity=severity, strength=found
    )


def read_level(text: str) -> TransformPlan | None:
    """The plan that "blur:3" (severity) or "blur=2.5" (strength) stands for; None for any other text.

    Raises:
        PlanError: What stands behind the sign is no severity or strength of the transform.
        UnknownNameError: There is no such transform.
    """
    sign = ":" if ":" in text else "="
    name, found, value = text.partition(sign)
    if not found:
        return None
    try:
        number = int(value) if sign == ":" else float(value)
    except ValueError:
        wanted = "a severity from 1 to 5, e.g. blur:3" if sign == ":" else "a strength, e.g. blur=2.5"
        raise PlanError(f"'{text}': wanted {wanted}") from None
    return levelled_plan(name, severity=int(number)) if sign == ":" else levelled_plan(name, strength=number)


def with_strength() -> tuple[str, ...]:
    """Names of the registered transforms that have a strength."""
    return tuple(name for name, spec in TRANSFORMS.items() if spec.strength is not None)


def settled(plan: TransformPlan) -> TransformPlan:
    """The plan with the strength of its severity written down, as tables and figures read it."""
    stated = TRANSFORMS[plan.target].strength if plan.severity is not None else None
    return plan if stated is None else replace(plan, strength=stated.at(plan.severity or 0))


def _in_name(strength: float) -> str:
    return f"{strength:g}".replace(".", "_").replace("-", "m").replace("+", "")
