"""How far each transform of a run can be turned, and the transform at another strength."""

from collections.abc import Mapping
from dataclasses import replace

from embshift.core.errors import PlanError
from embshift.core.types import Transform
from embshift.measurement.pipeline.recipe import build_recipe, without_drafts
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.trust import Trust
from embshift.show.app.served.live import Reach
from embshift.transforms import TRANSFORMS, Strength
from embshift.transforms.plan import TransformPlan
from embshift.transforms.presets import load_preset
from embshift.transforms.strength import LevelledTransform, find_stream

__all__ = ["build_measured", "build_turned", "list_reaches"]

_WIDE = 8.0
"""Ratio of the strongest to the mildest severity from which on a slider is logarithmic."""

_BELOW = 4.0
"""Divides the mildest strength for the lower end of a logarithmic slider, where 0 is the least strength."""


def list_reaches(plan: Plan, trust: Trust) -> dict[str, Reach]:
    """Return how far each transform of a plan can be turned, by name.

    Args:
        plan: The plan of a run, which anyone may have written.
        trust: Whether functions that it names may be imported.
    """
    return {each.name: _find_reach(each, trust) for each in plan.transforms}


def _find_reach(each: TransformPlan, trust: Trust) -> Reach:
    if each.kind == "function" and not trust.code:
        return Reach(
            why=f"the run's record names Python code, {each.target}, which is not run unasked; if you trust"
            " it, give --allow-code"
        )
    stated = _find_strength(each)
    if stated is None:
        return Reach()
    recorded = each.strength
    if recorded is None:
        recorded = stated.default if each.severity is None else stated.at(each.severity)
    ends, log = _find_ends(stated, recorded)
    return Reach(
        parameter=stated.meaning,
        unit=stated.unit,
        recorded=recorded,
        ends=ends,
        log=log,
        severities=stated.severities,
    )


def _find_ends(stated: Strength, recorded: float) -> tuple[tuple[float, float], bool]:
    known = [one for one in (*stated.severities, recorded) if one > 0]
    mild, strong = min(known, default=0.0), max(known, default=0.0)
    if not known or stated.least < 0 or strong / mild < _WIDE:
        return (stated.least, stated.greatest), False
    return (stated.least if stated.least > 0 else mild / _BELOW, stated.greatest), True


def _find_strength(each: TransformPlan) -> Strength | None:
    """Return the strength of a registered transform, or of the registered one that equals the paper's."""
    name = _find_registered(each)
    return None if name is None else TRANSFORMS[name].strength


def _find_registered(each: TransformPlan) -> str | None:
    if each.kind == "registered":
        return each.target if each.target in TRANSFORMS else None
    is_paper = each.kind == "albumentations" and each in load_preset("paper").transforms
    known = TRANSFORMS[each.name].strength if is_paper and each.name in TRANSFORMS else None
    return None if known is None or known.paper is None else each.name


def build_measured(plan: Plan, name: str) -> Transform:
    """Build a transform as the run measured it.

    Raises:
        PlanError: If it cannot be built.
    """
    return _build(plan, next(each for each in plan.transforms if each.name == name))


def build_turned(plan: Plan, name: str, *, strength: float) -> Transform:
    """Build a transform of a plan at another strength, with the random stream that the run measured it with.

    Raises:
        PlanError: If it has no strength, or does not accept this one.
    """
    each = next(each for each in plan.transforms if each.name == name)
    target = _find_registered(each)
    if target is None:
        raise PlanError(f"{name} has no strength to turn")
    own: Mapping[str, object] = each.parameters if each.kind == "registered" else {}
    turned = _build(
        plan, TransformPlan(name=name, kind="registered", target=target, parameters=own, strength=strength)
    )
    # The plan's name may determine the stream where no level was asked for.
    stream = find_stream(_build(plan, each), name)
    return replace(turned, stream=stream) if isinstance(turned, LevelledTransform) else turned


def _build(plan: Plan, each: TransformPlan) -> Transform:
    recipe = build_recipe(replace(plan, transforms=(each,)), metrics={}, objects={}, mapped=True)
    return without_drafts(recipe).transforms[each.name]
