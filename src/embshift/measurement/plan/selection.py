"""Selection: the transforms of a plan by name, from its preset or from the registry."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from embshift.core.errors import UnknownNameError

if TYPE_CHECKING:  # heavier than reading a plan may be
    from embshift.transforms.plan import TransformPlan

__all__ = ["select_transforms"]


def select_transforms(
    planned: "Sequence[TransformPlan]", names: Sequence[str]
) -> "tuple[TransformPlan, ...]":
    """Return the transforms of these names, in this order: those that are planned, or else registered ones.

    Raises:
        UnknownNameError: If there is no such transform; the nearest is offered.
        PlanError: If two of them make the same views.
    """
    from embshift.transforms.presets import load_preset
    from embshift.transforms.strength import check_different

    known = {transform.name: transform for transform in planned}
    return check_different(
        (known[name] if name in known else _registered(name, known) for name in names),
        paper=load_preset("paper").transforms,
    )


def _registered(name: str, known: "Mapping[str, TransformPlan]") -> "TransformPlan":
    from embshift.transforms import TRANSFORMS
    from embshift.transforms.plan import TransformPlan
    from embshift.transforms.strength import parse_level

    levelled = parse_level(name)
    if levelled is not None:
        return levelled
    if name not in TRANSFORMS:
        raise UnknownNameError("transform", name, {*known, *TRANSFORMS})
    return TransformPlan(name=name, kind="registered", target=name, parameters={})
