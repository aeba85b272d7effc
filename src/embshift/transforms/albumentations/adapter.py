"""An albumentations object as a transform: random only through the generator that it is handed."""

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
from embshift.transforms.albumentations.geometry import moves, replayed
from embshift.transforms.checks import checked
from embshift.transforms.parameters import drawn_values

__all__ = ["AlbumentationsTransform", "adapt", "leaves"]

# Importing albumentations asks a server for its newest version unless told not to. It is told here, before
# any import by this package or by a worker process that unpickles a transform.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlbumentationsTransform:
    """One transform or composition of albumentations.

    Attributes:
        template: A private copy without random state. It is never called: each call makes a copy of its
            own, for albumentations keeps the last draw in the object, and threads would share it.
    """

    template: Any

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        called = copy.deepcopy(self.template)
        seed = int.from_bytes(rng.bytes(16), "little")
        called.set_random_state(rng, random.Random(seed))
        if _is_composition(called):
            return _composed(called, pixels)
        result = called(image=pixels)["image"]
        # A leaf that ran has at least the picture's shape among its parameters.
        values = drawn_values(called.params) if called.params else {"applied": False}
        return View(
            pixels=checked(result, shape=pixels.shape),
            parameters=values,
            coordinates=replayed([called], pixels.shape),
        )


def adapt(composition_or_transform: Any) -> AlbumentationsTransform:
    """The object as a transform; the object itself is copied and never touched.

    A generator left in the object could be drawn from by mistake, so the copy has none.
    """
    template = copy.deepcopy(composition_or_transform)
    template.set_random_state(None, None)
    for leaf in leaves(template):
        leaf.params = {}
    return AlbumentationsTransform(template=template)


def leaves(composition_or_transform: Any) -> Iterator[Any]:
    """The transforms inside a composition, at any depth; a transform is its own only leaf."""
    if not _is_composition(composition_or_transform):
        yield composition_or_transform
        return
    for inner in composition_or_transform.transforms:
        yield from leaves(inner)


def _composed(composition: Any, pixels: Pixels) -> View:
    # Every composition passes unknown entries on, and appends to this one what it applied, in order.
    applied: list[tuple[str, dict[str, Any]]] = []
    result = composition(image=pixels, applied_transforms=applied)["image"]
    steps = [{"transform": name, "parameters": drawn_values(values)} for name, values in applied]
    return View(
        pixels=checked(result, shape=pixels.shape),
        parameters={"applied": steps},
        coordinates=_moved([name for name, _ in applied], composition, pixels.shape),
    )


def _moved(
    names: Sequence[str], composition: Any, shape: tuple[int, ...]
) -> Callable[[], Coordinates] | None:
    """The map of what a composition applied; of nowhere, where it applied two alike: which came first?"""
    ran = {type(leaf).__name__: leaf for leaf in leaves(composition) if leaf.params}
    if any(moves(leaf) for leaf in ran.values()) and len(set(names)) < len(names):
        return partial(make_empty_map, shape[0], shape[1])
    return replayed([ran[name] for name in names if name in ran], shape)


def _is_composition(candidate: Any) -> bool:
    # Whoever holds an object of the library has imported it.
    library: Any = sys.modules["albumentations"]
    return isinstance(candidate, library.BaseCompose)
