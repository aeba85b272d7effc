"""Building transforms from plans or objects, and describing objects as plans."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from embshift.core.addresses import find_address, load_object
from embshift.core.errors import PlanError, UnknownNameError
from embshift.core.types import Transform
from embshift.transforms import TRANSFORMS, TransformSpec
from embshift.transforms.albumentations.adapter import adapt_object
from embshift.transforms.albumentations.construction import (
    check_arguments,
    construct_object,
    describe_object,
    is_albumentations,
)
from embshift.transforms.functions import to_transform
from embshift.transforms.plan import TransformPlan, check_name
from embshift.transforms.strength import build_registered, fill_in_strength

__all__ = ["build", "describe", "wrap"]


def build(plan: TransformPlan) -> Transform:
    """Build the transform that a plan describes.

    Raises:
        PlanError: If it cannot be built as described.
    """
    check_name(plan.name)
    try:
        return _BUILDERS[plan.kind](plan)
    except UnknownNameError as error:
        raise PlanError(str(error)) from error


def wrap(name: str, thing: Any) -> Transform:
    """Turn one entry of a user's own dictionary into a transform.

    Args:
        name: The key of the entry.
        thing: An object of albumentations, whose own seed is never used; a registered name or
            "package.module:function"; a `TransformPlan`; a function ``(pixels)`` or ``(pixels, *, rng)``.

    Raises:
        PlanError: If it is none of these, or the name cannot be used.
    """
    check_name(name)
    try:
        return _wrap_object(thing)
    except (PlanError, UnknownNameError) as error:
        raise PlanError(f"transform '{name}': {error}") from error


def describe(name: str, thing: Any) -> TransformPlan | None:
    """Return the plan that builds a transform equal to ``thing``; None if no file can describe it.

    A lambda, a closure, a function typed into a session, and an object of albumentations that holds one of
    these or an array cannot be built again from a file.
    """
    check_name(name)
    if isinstance(thing, TransformPlan):
        return fill_in_strength(replace(thing, name=name))
    if is_albumentations(thing):
        found = describe_object(thing)
        return found and TransformPlan(name=name, kind="albumentations", target=found[0], parameters=found[1])
    registered = _find_registered_name(thing)
    if registered is not None:
        return TransformPlan(name=name, kind="registered", target=registered)
    address = thing if isinstance(thing, str) else find_address(thing)
    return None if address is None else TransformPlan(name=name, kind="function", target=address)


def _build_albumentations(plan: TransformPlan) -> Transform:
    return adapt_object(construct_object(plan.target, plan.parameters))


def _build_registered(plan: TransformPlan) -> Transform:
    return build_registered(TRANSFORMS[plan.target], plan=plan)


def _build_function(plan: TransformPlan) -> Transform:
    found = load_object(plan.target)
    if plan.parameters and is_albumentations(found):
        raise PlanError(f"{plan.target} is an object of albumentations; leave out its 'parameters'")
    return to_transform(found, parameters=plan.parameters) if plan.parameters else _wrap_object(found)


_BUILDERS: dict[str, Callable[[TransformPlan], Transform]] = {
    "albumentations": _build_albumentations,
    "registered": _build_registered,
    "function": _build_function,
}


def _wrap_object(thing: Any) -> Transform:
    if isinstance(thing, TransformPlan):
        return build(thing)
    registered = _find_registered_name(thing)
    if registered is not None:
        return build(TransformPlan(name=registered, kind="registered", target=registered))
    if isinstance(thing, str):
        return _wrap_object(load_object(thing))
    if is_albumentations(thing):
        check_arguments(thing)
        return adapt_object(thing)
    if isinstance(thing, type):
        raise PlanError(f"{thing.__name__} is a class; pass an instance of it")
    if not callable(thing):
        raise PlanError(
            f"got an object of type {type(thing).__name__}; expected an object of albumentations, "
            "a function (pixels) or (pixels, *, rng), or a registered name"
        )
    return to_transform(thing, parameters={})


def _find_registered_name(thing: Any) -> str | None:
    if isinstance(thing, TransformSpec):
        return thing.name
    if isinstance(thing, str):
        return None if ":" in thing else TRANSFORMS[thing].name
    return next((name for name, spec in TRANSFORMS.items() if spec.apply is thing), None)
