"""Transforms: what changes a picture. A registered function, an albumentations class, or a user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from embshift.registry import Registry
from embshift.types import Pixels

__all__ = ["TRANSFORMS", "TransformSpec", "transform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformSpec:
    """How a registered transform states itself: a row of ``embshift list transforms``.

    Attributes:
        name: Name in presets, tables and on the command line.
        family: What kind of change it is, e.g. "control".
        summary: One line: what it does to the picture.
        apply: ``(pixels, /, *, rng, **parameters) -> pixels``; random only through ``rng``.
    """

    name: str
    family: str
    summary: str
    apply: Callable[..., Pixels]


TRANSFORMS: Registry[TransformSpec] = Registry(
    kind="transform", package="embshift.transforms", group="embshift.transforms"
)

Function = TypeVar("Function", bound=Callable[..., Any])


def transform(*, name: str, family: str, summary: str) -> Callable[[Function], Function]:
    """Register a function ``(pixels, /, *, rng, **parameters) -> pixels`` under a name."""

    def register(function: Function) -> Function:
        TRANSFORMS.add(name, TransformSpec(name=name, family=family, summary=summary, apply=function))
        return function

    return register
