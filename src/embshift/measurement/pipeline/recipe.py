"""Recipe: what happens to every image before the encoder. Imports no torch, so neither does a worker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float64

from embshift.core.errors import TransformError
from embshift.core.types import FrozenRow, Pixels, Transform, View, Views
from embshift.images import Limits
from embshift.images.contents import read_content
from embshift.measurement.plan.plan import Plan
from embshift.transforms.build import build, wrap
from embshift.transforms.fast import list_without_fast_form, to_fast_form
from embshift.transforms.gpu import (
    DraftingTransform,
    list_without_device_form,
    to_complete_form,
    to_drafting_form,
)

__all__ = [
    "AlignedMetric",
    "BuildRecipe",
    "PixelMetric",
    "ReadViews",
    "Recipe",
    "build_recipe",
    "describe_slow_forms",
    "without_drafts",
]

PixelMetric = Callable[[Pixels, Views], Float64[np.ndarray, " views"]]
AlignedMetric = Callable[..., Float64[np.ndarray, " views"]]


@runtime_checkable
class ReadViews(Protocol):
    """Returns the views of an image that were made before: a `Drafted`, or a `Decoded` without views."""

    def __call__(self, listed: FrozenRow, /) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What happens to every image before the encoder.

    Attributes:
        limits: The largest image that is decoded.
        size: Height and width after the resize, in pixels.
        rule: The resize rule.
        seed: The run's seed.
        draws: Repeats of every transform with other random numbers.
        transforms: The transforms by name, in order.
        metrics: The pixel metrics by name; computed for the metric sample.
        aligned: The pixel metrics that take the views' coordinate maps; computed for the metric sample.
        mapped: Whether the coordinate maps of the sample's views are kept for metrics on encodings.
        stored: Reads the views where they were made before; no transform is called then.
        read: Reads the bytes of an image, as `read_content` does.
    """

    limits: Limits
    size: tuple[int, int]
    rule: str
    seed: int
    draws: int
    transforms: Mapping[str, Transform]
    metrics: Mapping[str, PixelMetric]
    aligned: Mapping[str, AlignedMetric] = field(default_factory=dict[str, AlignedMetric])
    mapped: bool = False
    stored: ReadViews | None = None
    read: Callable[..., bytes] = read_content

    @property
    def views(self) -> int:
        """Greatest number of views of one image, the original included."""
        return 1 + len(self.transforms) * self.draws

    @property
    def drafts(self) -> bool:
        """Whether some views are only drawn here, and rendered on the encoder's device."""
        return any(isinstance(transform, DraftingTransform) for transform in self.transforms.values())


BuildRecipe: TypeAlias = Callable[[], Recipe]
"""What a worker calls once, when it starts: transforms are built there, not sent."""


def _keep(transform: Transform) -> Transform:
    return transform


_FORMS: Mapping[str, Callable[[Transform], Transform]] = {
    "reference": _keep,
    "fast": to_fast_form,
    "gpu": to_drafting_form,
}


def build_recipe(
    plan: Plan,
    *,
    metrics: Mapping[str, PixelMetric],
    objects: Mapping[str, Any],
    aligned: Mapping[str, AlignedMetric] | None = None,
    mapped: bool = False,
    stored: ReadViews | None = None,
) -> Recipe:
    """Build the recipe of a plan.

    Args:
        plan: The plan.
        metrics: Functions of the pixel metrics, by name.
        objects: The transforms of a caller's own dictionary, by name.
        aligned: Functions of the pixel metrics that take the views' coordinate maps, by name.
        mapped: Whether the coordinate maps are kept for metrics on encodings.
        stored: Reads the views where they were made before; no transform is built then.

    Raises:
        PlanError: If a transform cannot be built.
    """
    form = _FORMS[plan.views]
    own = {} if stored is None else dict.fromkeys((each.name for each in plan.transforms), _refuse)
    return Recipe(
        limits=plan.limits,
        size=plan.image_size,
        rule=plan.resize,
        seed=plan.seed,
        draws=plan.draws,
        transforms=own
        or {
            each.name: form(wrap(each.name, objects[each.name]) if each.name in objects else build(each))
            for each in plan.transforms
        },
        metrics=metrics,
        aligned=aligned or {},
        mapped=mapped,
        stored=stored,
    )


def _refuse(pixels: Pixels, /, *, rng: np.random.Generator) -> View:
    """Stand in for a transform whose views were made before."""
    raise TransformError("it was not built: its views were made before")


def without_drafts(recipe: Recipe, /) -> Recipe:
    """Return the same recipe with every view rendered where it is drawn."""
    return replace(
        recipe, transforms={name: to_complete_form(one) for name, one in recipe.transforms.items()}
    )


def describe_slow_forms(views: str, transforms: Mapping[str, Transform]) -> list[str]:
    """Return what the user must know of transforms that lack the form asked for: one line or none.

    Args:
        views: "reference", "fast" or "gpu".
        transforms: Those of the recipe, by name.
    """
    if views == "fast" and (names := list_without_fast_form(transforms)):
        return [f"views fast: no fast form of {', '.join(names)}; rendered as with --views reference"]
    if views == "gpu" and (names := list_without_device_form(transforms)):
        return [f"views gpu: no GPU form of {', '.join(names)}; rendered by the workers"]
    return []
