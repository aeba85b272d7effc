"""Fast forms: transforms of albumentations written again for speed, with the distribution kept.

A fast form draws every parameter from the same streams as the class that it stands in for, and states how
close its views come: the same bytes, the same up to rounding, or the same distribution.
"""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from embshift.core.registry import Registry
from embshift.core.types import Pixels, Transform, View
from embshift.transforms.albumentations.adapter import AlbumentationsTransform
from embshift.transforms.albumentations.geometry import replayed
from embshift.transforms.checks import checked
from embshift.transforms.parameters import drawn_values

__all__ = ["FAST", "Closeness", "FastForm", "FastTransform", "drawn", "fast_form", "hastened", "slow_names"]

Closeness: TypeAlias = Literal["bytes", "rounding", "distribution"]
"""How close a fast view is to the reference view of the same key."""

Make: TypeAlias = Callable[[Any, Pixels], tuple[Pixels, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FastForm:
    """A class of albumentations that has a fast form.

    Attributes:
        target: Name of the class.
        closeness: "bytes": the reference view to the last byte. "rounding": the same draws, and single bytes
            that differ by rounding. "distribution": other random numbers for the pixels, of the same law.
        fits: Whether the fast form does what an object of the class is set to do.
        make: ``(object, pixels)`` to the view's pixels and the parameters drawn; the object carries the
            random streams of this one call.
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
        target: Name of the class.
        closeness: How close its views are to the class's.
        fits: Whether it does what an object of the class is set to do.

    Returns:
        A decorator that gives the function back unchanged.

    Raises:
        PlanError: The class has a fast form already.
    """

    def register(function: Function) -> Function:
        FAST.add(target, FastForm(target=target, closeness=closeness, fits=fits, make=function))
        return function

    return register


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FastTransform:
    """The fast form of one object of albumentations.

    Attributes:
        template: The object, without random state; each call takes a copy of its own.
        make: What makes the view.
    """

    template: Any
    make: Make

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        # A shallow copy is enough: nothing here calls what the object holds bound to its first self.
        called = copy.copy(self.template)
        seed = int.from_bytes(rng.bytes(16), "little")
        called.set_random_state(rng, random.Random(seed))
        if not called.should_apply():
            return View(pixels=pixels, parameters={"applied": False})
        result, called.params = self.make(called, pixels)
        return View(
            pixels=checked(result, shape=pixels.shape),
            parameters=drawn_values(called.params),
            coordinates=replayed([called], pixels.shape),
        )


def drawn(called: Any, pixels: Pixels) -> dict[str, Any]:
    """What an object of albumentations draws for a picture, by its own code, as when it is called."""
    given = {"image": pixels}
    parameters = called.update_transform_params(params=called.get_params(), data=given)
    return {**parameters, **called.get_params_dependent_on_data(params=parameters, data=given)}


def hastened(transform: Transform) -> Transform:
    """The fast form of a transform; the transform itself where there is none."""
    form = _form(transform)
    if form is None or not isinstance(transform, AlbumentationsTransform):
        return transform
    return FastTransform(template=transform.template, make=form.make)


def slow_names(transforms: Mapping[str, Transform]) -> Sequence[str]:
    """Names of the transforms that were asked for fast and stayed as they are, in their order."""
    return [name for name, transform in transforms.items() if not isinstance(transform, FastTransform)]


def _form(transform: Transform) -> FastForm | None:
    if not isinstance(transform, AlbumentationsTransform):
        return None
    target = type(transform.template).__name__
    if target not in FAST or type(transform.template).__module__.split(".")[0] != "albumentations":
        return None
    return FAST[target] if FAST[target].fits(transform.template) else None
