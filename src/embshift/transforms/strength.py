"""Registered transforms at one strength: what a severity means, and which random stream is used."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from embshift.core.errors import PlanError
from embshift.core.types import Pixels, Transform, View
from embshift.transforms import TRANSFORMS, Strength, TransformSpec
from embshift.transforms.functions import to_transform
from embshift.transforms.plan import TransformPlan

__all__ = [
    "Level",
    "LevelledTransform",
    "build_registered",
    "check_different",
    "fill_in_strength",
    "find_level",
    "find_stream",
    "list_adjustable_transforms",
    "make_levelled_plan",
    "parse_level",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The severity and strength of one transform of a plan.

    Attributes:
        severity: Level 1-5; None if no severity was asked for.
        strength: In the transform's unit; None for a transform without a strength.
    """

    severity: int | None = None
    strength: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelledTransform:
    """A registered transform at one strength.

    Attributes:
        inner: The transform at that strength.
        level: Its severity and strength.
        stream: The name that determines its random stream; None for its name in the plan.
        untouched: Whether this strength leaves the image unchanged.
    """

    inner: Transform
    level: Level
    stream: str | None
    untouched: bool

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        if self.untouched:
            return View(pixels=pixels, parameters={})
        return self.inner(pixels, rng=rng)


def build_registered(spec: TransformSpec, *, plan: TransformPlan) -> Transform:
    """Build a registered transform with the parameters and the strength of a plan.

    If the plan asks for a severity or a strength, the registered name determines the random stream: every
    level then has the same draw, whatever name the plan gives it.

    Raises:
        PlanError: If the transform has no strength, or does not accept this one.
    """
    if spec.strength is None:
        if plan.severity is not None or plan.strength is not None:
            raise PlanError(f"{spec.name} has no strength; leave out 'severity' and 'strength'")
        return to_transform(spec.apply, parameters=plan.parameters)
    if "strength" in plan.parameters:
        raise PlanError(f"{spec.name}: move 'strength' out of 'parameters'; it belongs beside the name")
    asked = plan.severity is not None or plan.strength is not None
    strength = _resolve_strength(spec.name, spec.strength, severity=plan.severity, strength=plan.strength)
    return LevelledTransform(
        inner=to_transform(spec.apply, parameters={**plan.parameters, "strength": strength}),
        level=Level(severity=plan.severity, strength=strength),
        stream=spec.name if asked else None,
        untouched=strength == spec.strength.zero,
    )


def _resolve_strength(name: str, known: Strength, *, severity: int | None, strength: float | None) -> float:
    try:
        if severity is None:
            return known.default if strength is None else known.check(strength)
        level = known.at(severity)
    except PlanError as error:
        raise PlanError(f"{name}: {error}") from error
    if strength is not None and strength != level:
        raise PlanError(
            f"{name}: severity {severity} is strength {level:g}, but strength {strength:g} is given too; "
            "leave out one of them"
        )
    return level


def find_level(transform: Transform) -> Level:
    """Return the severity and strength of a transform; both are None for one without a strength."""
    return transform.level if isinstance(transform, LevelledTransform) else Level()


def find_stream(transform: Transform, name: str) -> str:
    """Return the name that determines the random stream of a transform of a plan.

    Args:
        transform: The transform.
        name: Its name in the plan.
    """
    return (transform.stream or name) if isinstance(transform, LevelledTransform) else name


def make_levelled_plan(
    name: str, *, severity: int | None = None, strength: float | None = None, label: str = ""
) -> TransformPlan:
    """Return the plan of a registered transform at a severity or a strength, under a name of its own.

    Args:
        name: A registered transform that has a strength.
        severity: Level 1-5.
        strength: In the transform's unit.
        label: The ending of its name; if empty, ``s3`` for severity 3 and ``x2_5`` for strength 2.5.

    Raises:
        PlanError: If it has no strength, or does not accept this one.
        UnknownNameError: If there is no such transform.
    """
    spec = TRANSFORMS[name]
    if spec.strength is None:
        raise PlanError(f"{name} has no strength; choose from {', '.join(list_adjustable_transforms())}")
    found = _resolve_strength(name, spec.strength, severity=severity, strength=strength)
    ending = label or (f"s{severity}" if severity is not None else f"x{_spell_for_name(found)}")
    return TransformPlan(
        name=f"{name}_{ending}", kind="registered", target=name, severity=severity, strength=found
    )


def parse_level(text: str) -> TransformPlan | None:
    """Return the plan for a text like "blur:3" (severity) or "blur=2.5" (strength); None for any other text.

    Raises:
        PlanError: If the part after the sign is not a severity or strength of the transform.
        UnknownNameError: If there is no such transform.
    """
    sign = ":" if ":" in text else "="
    name, separator, value = text.partition(sign)
    if not separator:
        return None
    try:
        number = int(value) if sign == ":" else float(value)
    except ValueError:
        expected = "a severity from 1 to 5, e.g. blur:3" if sign == ":" else "a strength, e.g. blur=2.5"
        raise PlanError(f"'{text}': expected {expected}") from None
    if sign == ":":
        return make_levelled_plan(name, severity=int(number))
    return make_levelled_plan(name, strength=number)


def list_adjustable_transforms() -> tuple[str, ...]:
    """Return the names of the registered transforms that have a strength."""
    return tuple(name for name, spec in TRANSFORMS.items() if spec.strength is not None)


def fill_in_strength(plan: TransformPlan) -> TransformPlan:
    """Return a plan with the strength of its severity filled in, for tables and figures."""
    stated = TRANSFORMS[plan.target].strength if plan.severity is not None else None
    return plan if stated is None else replace(plan, strength=stated.at(plan.severity or 0))


_UNTOUCHED = ("identity", 0.0, "[]", "")
"""What `_describe_views` returns for every transform that leaves the image as it is."""


def check_different(
    plans: Iterable[TransformPlan], *, paper: Collection[TransformPlan]
) -> tuple[TransformPlan, ...]:
    """Return the plans; raise `PlanError` where two of different names would give the same views.

    Args:
        plans: The plans.
        paper: The plans of the preset "paper", each of which equals a registered one at one strength.
    """
    found, known = tuple(plans), dict[tuple[str, float, str, str], str]()
    for plan in found:
        views = _describe_views(plan, paper=paper)
        if views is None:
            continue
        other = known.setdefault(views, plan.name)
        if other != plan.name:
            same = "the image itself" if views == _UNTOUCHED else f"{views[0]} at strength {views[1]:g}"
            raise PlanError(
                f"transforms '{other}' and '{plan.name}' give the same views ({same}); leave one of them out"
            )
    return found


def _describe_views(
    plan: TransformPlan, *, paper: Collection[TransformPlan]
) -> tuple[str, float, str, str] | None:
    """Return target, strength, parameters and random stream, which determine the views; None if unknown."""
    if plan.kind == "albumentations":
        return _describe_paper_views(plan) if plan in paper else None
    stated = TRANSFORMS[plan.target].strength if plan.kind == "registered" else None
    if stated is None:
        return _UNTOUCHED if (plan.kind, plan.target) == ("registered", "identity") else None
    strength = _resolve_strength(plan.target, stated, severity=plan.severity, strength=plan.strength)
    if strength == stated.zero:
        return _UNTOUCHED
    asked = plan.severity is not None or plan.strength is not None
    return plan.target, strength, repr(sorted(plan.parameters.items())), plan.target if asked else plan.name


def _describe_paper_views(plan: TransformPlan) -> tuple[str, float, str, str] | None:
    """Return the same for a transform of the preset "paper"."""
    stated = TRANSFORMS[plan.name].strength if plan.name in TRANSFORMS else None
    return None if stated is None or stated.paper is None else (plan.name, stated.paper, "[]", plan.name)


def _spell_for_name(strength: float) -> str:
    return f"{strength:g}".replace(".", "_").replace("-", "m").replace("+", "")
