"""From a plan to what happens to every picture before the encoder; called once in every worker."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from embshift.core.types import Transform
from embshift.measurement.pipeline.perturb import Recipe
from embshift.measurement.plan.plan import Plan
from embshift.transforms.build import build, wrap
from embshift.transforms.fast import hastened, slow_names
from embshift.transforms.gpu import at_once, drafted, host_names

__all__ = ["build_recipe", "undivided", "unformed"]


def _as_it_is(transform: Transform) -> Transform:
    return transform


_FORMS: Mapping[str, Callable[[Transform], Transform]] = {
    "reference": _as_it_is,
    "fast": hastened,
    "gpu": drafted,
}


def build_recipe(
    plan: Plan,
    *,
    metrics: Mapping[str, Any],
    objects: Mapping[str, Any],
    aligned: Mapping[str, Any] | None = None,
    mapped: bool = False,
) -> Recipe:
    """The recipe of a plan. Nothing here imports torch, so neither does a worker.

    Args:
        plan: The plan.
        metrics: Functions of the pixel metrics, by name.
        objects: The transforms of a caller's own dictionary, by name.
        aligned: Functions of the metrics on pixels that take the maps of the views, by name.
        mapped: Whether the maps are kept for metrics on encodings.
    """
    transforms: dict[str, Transform] = {
        each.name: wrap(each.name, objects[each.name]) if each.name in objects else build(each)
        for each in plan.transforms
    }
    form = _FORMS[plan.views]
    transforms = {name: form(transform) for name, transform in transforms.items()}
    return Recipe(
        limits=plan.limits,
        size=plan.image_size,
        rule=plan.resize,
        seed=plan.seed,
        draws=plan.draws,
        transforms=transforms,
        metrics=metrics,
        aligned=aligned or {},
        mapped=mapped,
    )


def undivided(recipe: Recipe) -> Recipe:
    """The same recipe, by which every view is made where it is drawn."""
    return replace(recipe, transforms={name: at_once(each) for name, each in recipe.transforms.items()})


def unformed(views: str, transforms: Mapping[str, Transform]) -> list[str]:
    """What the user must be told of transforms that are not made as asked for, one line or none.

    Args:
        views: "reference", "fast" or "gpu".
        transforms: Those of the recipe.
    """
    if views == "fast" and (names := slow_names(transforms)):
        return [f"views fast: {', '.join(names)} have no fast form and are made as in 'reference'"]
    if views == "gpu" and (names := host_names(transforms)):
        return [f"views gpu: {', '.join(names)} have no device form and are made by the workers"]
    return []
