"""From a plan or an object to a transform, and from a transform to a view."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from embshift.core.errors import PlanError, TransformError, UnknownNameError
from embshift.core.seeding import make_view_generator
from embshift.core.types import Pixels, Transform, View, ViewKey
from embshift.transforms import TRANSFORMS, TransformSpec
from embshift.transforms.albumentations.adapter import adapt
from embshift.transforms.albumentations.construction import (
    check_arguments,
    construct,
    is_albumentations,
    written,
)
from embshift.transforms.checks import checked
from embshift.transforms.functions import address_of, as_transform, load_object
from embshift.transforms.plan import TransformPlan, check_name, one_line
from embshift.transforms.strength import at_strength, settled, stream_of

__all__ = ["build", "describe", "perturb", "pixels_digest", "wrap"]


def build(plan: TransformPlan) -> Transform:
    """The transform that a plan writes down.

    Raises:
        PlanError: It cannot be built as written.
    """
    check_name(plan.name)
    try:
        return _BUILDERS[plan.kind](plan)
    except UnknownNameError as error:
        raise PlanError(str(error)) from error


def wrap(name: str, thing: Any) -> Transform:
    """One entry of a user's own dictionary as a transform.

    Args:
        name: Its key.
        thing: An object of albumentations, whose own seed is never used; a registered name or
            "package.module:function"; a `TransformPlan`; a function ``(pixels)`` or ``(pixels, *, rng)``.

    Raises:
        PlanError: It is none of these, or the name cannot be used.
    """
    check_name(name)
    try:
        return _wrapped(thing)
    except (PlanError, UnknownNameError) as error:
        raise PlanError(f"transform '{name}': {error}") from error


def describe(name: str, thing: Any) -> TransformPlan | None:
    """The plan that builds the equal of ``thing``; None where no file can say it.

    A lambda, a closure, a function typed into a session, or an object of albumentations that holds one of
    these or an array, cannot be repeated from a file.
    """
    check_name(name)
    if isinstance(thing, TransformPlan):
        return settled(replace(thing, name=name))
    if is_albumentations(thing):
        found = written(thing)
        return found and TransformPlan(name=name, kind="albumentations", target=found[0], parameters=found[1])
    registered = _registered_name(thing)
    if registered is not None:
        return TransformPlan(name=name, kind="registered", target=registered)
    address = thing if isinstance(thing, str) else address_of(thing)
    return None if address is None else TransformPlan(name=name, kind="function", target=address)


def perturb(pixels: Pixels, transform: Transform, *, key: ViewKey) -> View:
    """The view of one picture: a function of the picture, the transform and the key alone.

    The transform gets a copy, so the original stays as it is. What it gives is checked, and a failure is
    an error: the original never stands in for a view.

    Args:
        pixels: The picture.
        transform: What `build` or `wrap` gave.
        key: What the view's random stream is a function of.

    Raises:
        TransformError: The transform failed, or gave something else than a picture of this size.
    """
    stream = replace(key, transform=stream_of(transform, key.transform))
    try:
        view = transform(pixels.copy(), rng=make_view_generator(stream))
        result = checked(view.pixels, shape=pixels.shape)
    except TransformError as error:
        raise TransformError(f"transform '{key.transform}' {one_line(error)}") from error
    except (Exception, SystemExit) as error:
        raise TransformError(
            f"transform '{key.transform}' failed: {type(error).__name__}: {one_line(error)}"
        ) from error
    return replace(view, pixels=result)


def pixels_digest(pixels: Pixels) -> str:
    """SHA-256 of a picture, 64 hexadecimal digits.

    What is hashed: the shape as ASCII decimals joined by "x" (``224x224x3``: height, width, channels), and
    straight after it the bytes, row by row, pixel by pixel, in the order red, green, blue.
    """
    digest = hashlib.sha256("x".join(str(length) for length in pixels.shape).encode("ascii"))
    digest.update(np.ascontiguousarray(pixels).data)  # without a copy, and without the interpreter's lock
    return digest.hexdigest()


def _from_albumentations(plan: TransformPlan) -> Transform:
    return adapt(construct(plan.target, plan.parameters))


def _from_registry(plan: TransformPlan) -> Transform:
    return at_strength(TRANSFORMS[plan.target], plan=plan)


def _from_address(plan: TransformPlan) -> Transform:
    found = load_object(plan.target)
    if plan.parameters and is_albumentations(found):
        raise PlanError(f"{plan.target} is an object of albumentations and takes no parameters")
    return as_transform(found, parameters=plan.parameters) if plan.parameters else _wrapped(found)


_BUILDERS: dict[str, Callable[[TransformPlan], Transform]] = {
    "albumentations": _from_albumentations,
    "registered": _from_registry,
    "function": _from_address,
}


def _wrapped(thing: Any) -> Transform:
    if isinstance(thing, TransformPlan):
        return build(thing)
    registered = _registered_name(thing)
    if registered is not None:
        return build(TransformPlan(name=registered, kind="registered", target=registered))
    if isinstance(thing, str):
        return _wrapped(load_object(thing))
    if is_albumentations(thing):
        check_arguments(thing)
        return adapt(thing)
    if isinstance(thing, type):
        raise PlanError(f"{thing.__name__} is a class; give an instance of it")
    if not callable(thing):
        raise PlanError(
            f"got an object of type {type(thing).__name__}, wanted an object of albumentations, "
            "a function (pixels) or (pixels, *, rng), or a registered name"
        )
    return as_transform(thing, parameters={})


def _registered_name(thing: Any) -> str | None:
    if isinstance(thing, TransformSpec):
        return thing.name
    if isinstance(thing, str):
        return None if ":" in thing else TRANSFORMS[thing].name
    return next((name for name, spec in TRANSFORMS.items() if spec.apply is thing), None)
