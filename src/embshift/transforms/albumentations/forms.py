"""Other forms of albumentations transforms: finding the form of an object, and drawing its parameters."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from embshift.core.types import Pixels, Transform
from embshift.transforms.albumentations.adapter import AlbumentationsTransform, set_random_streams

__all__ = ["Form", "copy_with_streams", "draw_parameters", "find_form"]


@runtime_checkable
class Form(Protocol):
    """A second implementation of a class of albumentations."""

    @property
    def fits(self) -> Callable[[Any], bool]:
        """Whether it supports the settings of an object of the class."""
        ...


AnyForm = TypeVar("AnyForm", bound=Form)


def find_form(transform: Transform, forms: Mapping[str, AnyForm]) -> tuple[Any, AnyForm] | None:
    """Return the albumentations object of a transform and its form; None if there is no such form.

    Args:
        transform: The transform.
        forms: The forms by the name of the class. A class of the same name from another package has none.
    """
    if not isinstance(transform, AlbumentationsTransform):
        return None
    leaf = transform.template
    target = type(leaf).__name__
    if target not in forms or type(leaf).__module__.split(".")[0] != "albumentations":
        return None
    return (leaf, forms[target]) if forms[target].fits(leaf) else None


def copy_with_streams(template: Any, rng: np.random.Generator) -> Any:
    """Return a copy of an albumentations object that draws from a generator.

    A shallow copy is enough for a form, which calls nothing in the object that is bound to the template.
    """
    called = copy.copy(template)
    set_random_streams(called, rng)
    return called


def draw_parameters(called: Any, pixels: Pixels) -> dict[str, Any]:
    """Draw the parameters of an albumentations object for an image, with the library's own code."""
    given = {"image": pixels}
    parameters = called.update_transform_params(params=called.get_params(), data=given)
    return {**parameters, **called.get_params_dependent_on_data(params=parameters, data=given)}
