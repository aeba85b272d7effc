"""From a plan to what happens to every picture before the encoder; called once in every worker."""

from collections.abc import Mapping
from typing import Any

from embshift.perturbing import Recipe
from embshift.plan import Plan
from embshift.transforms.building import build, wrap
from embshift.transforms.fast import hastened
from embshift.types import Transform

__all__ = ["build_recipe"]


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
    if plan.views == "fast":
        transforms = {name: hastened(transform) for name, transform in transforms.items()}
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
