"""Fast forms: faster implementations of albumentations transforms that keep the distribution of views.

A fast form draws every parameter from the same random streams as the class that it replaces. It states how
close its views come: the same bytes, the same up to rounding, or the same distribution.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from embshift.core.registry import Registry
from embshift.core.types import Pixels, Transform, View
from embshift.transforms.albumentations.forms import copy_with_streams, find_form
from embshift.transforms.albumentations.geometry import make_replayed_map
from embshift.transforms.checks import check_pixels
from embshift.transforms.parameters import select_drawn_values

__all__ = [
    "FAST",
    "Closeness",
    "FastForm",
    "FastTransform",
    "fast_form",
    "list_without_fast_form",
    "to_fast_form",
]

Closeness: TypeAlias = Literal["bytes", "rounding", "distribution"]
"""How close a fast view is to the reference view of the same key."""

Make: TypeAlias = Callable[[Any, Pixels], tuple[Pixels, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FastForm:
    """The fast form of a class of albumentations.

    Attributes:
        target: The name of the class.
        closeness: "bytes": equal to the reference view in every byte. "rounding": the same draws, and single
            bytes that differ by rounding. "distribution": other random numbers for the pixels, from the same
            distribution.
        fits: Whether the fast form supports the settings of an object of the class.
        make: ``(object, pixels)`` to the view's pixels and the drawn parameters; the object holds the random
            streams of this one call.
    """

    target: str
    closeness: Closeness
    fits: Callable[[Any], bool]
    make: Make


FAST: Registry[FastForm] = Registry(
    kind="fast form", packages=("embshift.transforms.fast",), group="embshift.fast_transforms"
)

Function = TypeVar("Function", bound=Make)


def fast_form(
    target: str, /, *, closeness: Closeness, fits: Callable[[Any], bool] = lambda _: True
) -> Callable[[Function], Function]:
    """Register a function ``(object, pixels)`` as the fast form of a class of albumentations.

    Args:
        target: The name of the class.
        closeness: How close its views are to those of the class.
        fits: Whether it supports the settings of an object of the class.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        PlanError: If the class already has a fast form.
    """

    def register(function: Function) -> Function:
        FAST.add(target, FastForm(target=target, closeness=closeness, fits=fits, make=function))
        return function

    return register


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FastTransform:
    """The fast form of one object of albumentations.

    Attributes:
        template: The object, without random state; each call makes its own copy.
        make: The function that makes the view.
    """

    template: Any
    make: Make

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        called = copy_with_streams(self.template, rng)
        if not called.should_apply():
            return View(pixels=pixels, parameters={"applied": False})
        result, called.params = self.make(called, pixels)
        return View(
            pixels=check_pixels(result, shape=pixels.shape),
            parameters=select_drawn_values(called.params),
            coordinates=make_replayed_map([called], pixels.shape),
        )


def to_fast_form(transform: Transform) -> Transform:
    """Return the fast form of a transform, or the transform itself if it has none."""
    found = find_form(transform, FAST)
    return transform if found is None else FastTransform(template=found[0], make=found[1].make)


def list_without_fast_form(transforms: Mapping[str, Transform]) -> Sequence[str]:
    """Return the names of those transforms that are not fast forms, in their order."""
    return [name for name, transform in transforms.items() if not isinstance(transform, FastTransform)]
