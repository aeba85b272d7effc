"""A library's own preparation of an image, and the part of the image that it keeps."""

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image

from embshift.core.errors import EncoderError
from embshift.core.types import Field, Views
from embshift.encoders.towers.frame import Frame, compute_field

__all__ = ["Preparation", "make_preparation"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preparation:
    """A library's own transform of one PIL image.

    Attributes:
        steps: Its steps, in order.
        settings: What it does, ready for JSON.
        frame: ``(height, width)`` of an image to its resize and crop; None where the steps do something else
            with its shape, such as padding.
    """

    steps: Sequence[Callable[[Any], Any]]
    settings: Mapping[str, Any]
    frame: Callable[[int, int], Frame | None]

    def prepare(self, views: Views, /) -> Float32[torch.Tensor, "views 3 rows columns"]:
        """Return the network's input for views of one size."""
        return torch.stack([self._prepare_one(Image.fromarray(view)) for view in views])

    def _prepare_one(self, image: Any) -> torch.Tensor:
        for step in self.steps:
            image = step(image)
        return image

    def compute_field(self, height: int, width: int, *, seen: tuple[int, int]) -> Field:
        """Return the rectangle of an image that whole patches cover.

        Args:
            height: Height of the image, in pixels.
            width: Its width.
            seen: Height and width that the patches cover, in pixels of the input.

        Raises:
            EncoderError: An image of this size is padded.
        """
        frame = self.frame(height, width)
        if frame is None:
            raise EncoderError(
                f"the encoder's preprocessing pads images of {height} by {width} pixels, so its map has"
                " places outside the image; use square images, or metrics that need no map"
            )
        return compute_field(frame, seen=seen)


def make_preparation(steps: Sequence[Callable[[Any], Any]], /, *, settings: Mapping[str, Any]) -> Preparation:
    """Make a preparation of a transform's steps.

    Args:
        steps: Steps from a PIL image to a tensor.
        settings: What they do, as the library states it.
    """
    return Preparation(
        steps=tuple(steps),
        settings=json.loads(json.dumps(settings)),  # as it is read back from a run
        frame=functools.lru_cache(maxsize=16)(functools.partial(_measure_frame, tuple(steps))),
    )


def _measure_frame(steps: Sequence[Callable[[Any], Any]], height: int, width: int) -> Frame | None:
    """Return the resize and crop of an image, from the sizes that the steps themselves give it."""
    sizes, resized, crop = list(_list_sizes(steps, height, width)), (height, width), None
    for before, after, crops in sizes:
        if before == after:
            continue
        if crop is not None or (crops and (after[0] > before[0] or after[1] > before[1])):
            return None  # a second crop, a resize after one, or padding
        if crops:
            crop = after
        else:
            resized = after
    crop = crop or resized
    # The libraries round halves to even.
    corner = (round((resized[0] - crop[0]) / 2), round((resized[1] - crop[1]) / 2))
    return Frame(image=(height, width), resized=resized, crop=crop, corner=corner)


def _list_sizes(
    steps: Sequence[Callable[[Any], Any]], height: int, width: int
) -> Iterator[tuple[tuple[int, int], tuple[int, int], bool]]:
    """Yield height and width before and after each step on a PIL image, and whether it crops."""
    image: Any = Image.fromarray(np.zeros((height, width, 3), np.uint8))
    for step in steps:
        before = (image.height, image.width)
        image = step(image)
        if not isinstance(image, Image.Image):
            return
        yield before, (image.height, image.width), "Crop" in type(step).__name__
