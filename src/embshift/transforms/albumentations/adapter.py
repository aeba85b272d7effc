"""Albumentations objects as transforms: random only through the generator that they are given."""

import copy
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from embshift.core.pixel_maps import make_empty_map
from embshift.core.types import Coordinates, Pixels, View
from embshift.transforms.albumentations.geometry import make_replayed_map, moves_pixels
from embshift.transforms.checks import check_pixels
from embshift.transforms.parameters import select_drawn_values

__all__ = ["AlbumentationsTransform", "adapt_object", "set_random_streams", "walk_leaves"]

# On import, albumentations asks a server for its newest version unless this variable is set. It is set here,
# before any import by this package or by a worker process that unpickles a transform.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlbumentationsTransform:
    """One transform or composition of albumentations.

    Attributes:
        template: A private copy without random state. It is never called: each call makes its own copy,
            because albumentations keeps the last draw in the object, and threads would share it.
    """

    template: Any

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        called = copy.deepcopy(self.template)
        set_random_streams(called, rng)
        if _is_composition(called):
            return _apply_composition(called, pixels)
        result = called(image=pixels)["image"]
        # A leaf that ran has at least the image's shape among its parameters.
        values = select_drawn_values(called.params) if called.params else {"applied": False}
        return View(
            pixels=check_pixels(result, shape=pixels.shape),
            parameters=values,
            coordinates=make_replayed_map([called], pixels.shape),
        )


def set_random_streams(composition_or_transform: Any, rng: np.random.Generator) -> None:
    """Make an object of albumentations draw from a generator, and from one of Python seeded by it."""
    seed = int.from_bytes(rng.bytes(16), "little")
    composition_or_transform.set_random_state(rng, random.Random(seed))


def adapt_object(composition_or_transform: Any) -> AlbumentationsTransform:
    """Turn an object of albumentations into a transform; the object is copied and never changed.

    The copy has no generator, so that nothing is drawn from one by mistake.
    """
    template = copy.deepcopy(composition_or_transform)
    template.set_random_state(None, None)
    for leaf in walk_leaves(template):
        leaf.params = {}
    return AlbumentationsTransform(template=template)


def walk_leaves(composition_or_transform: Any) -> Iterator[Any]:
    """Yield the transforms inside a composition, at any depth; a single transform yields itself."""
    if not _is_composition(composition_or_transform):
        yield composition_or_transform
        return
    for inner in composition_or_transform.transforms:
        yield from walk_leaves(inner)


def _apply_composition(composition: Any, pixels: Pixels) -> View:
    # Every composition passes on entries that it does not know, and appends to this one what it applied.
    applied: list[tuple[str, dict[str, Any]]] = []
    result = composition(image=pixels, applied_transforms=applied)["image"]
    steps = [{"transform": name, "parameters": select_drawn_values(values)} for name, values in applied]
    return View(
        pixels=check_pixels(result, shape=pixels.shape),
        parameters={"applied": steps},
        coordinates=_map_composition([name for name, _ in applied], composition, pixels.shape),
    )


def _map_composition(
    names: Sequence[str], composition: Any, shape: tuple[int, ...]
) -> Callable[[], Coordinates] | None:
    """Return the map of what a composition applied; all NaN if two of one class ran, in unknown order."""
    ran = {type(leaf).__name__: leaf for leaf in walk_leaves(composition) if leaf.params}
    if any(moves_pixels(leaf) for leaf in ran.values()) and len(set(names)) < len(names):
        return partial(make_empty_map, shape[0], shape[1])
    return make_replayed_map([ran[name] for name in names if name in ran], shape)


def _is_composition(candidate: Any) -> bool:
    # An object of the library can only exist once the library is imported.
    library: Any = sys.modules["albumentations"]
    return isinstance(candidate, library.BaseCompose)
