"""Orientation: how an image lies in its file, as Pillow reads it from the metadata."""

import warnings
from collections.abc import Iterable
from typing import NamedTuple

from PIL import ExifTags, Image

__all__ = ["Turn", "list_complaints", "read_turn"]

_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings each orientation of EXIF upright; 1 and anything else is upright."""

_SWAPPING = frozenset(_METHODS[value] for value in (5, 6, 7, 8))


class Turn(NamedTuple):
    """What brings an image upright.

    Attributes:
        method: Pillow's method; None for an image that is upright.
        sound: Whether the metadata could be read without a complaint.
    """

    method: Image.Transpose | None
    sound: bool

    @property
    def swaps_sides(self) -> bool:
        """Whether height and width change places."""
        return self.method in _SWAPPING


def read_turn(image: Image.Image) -> Turn:
    """Return what brings an image upright; damaged metadata are no reason to raise.

    Args:
        image: The image. Its metadata are read and stay as they are.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
            method = _METHODS.get(value)
        except Exception:  # noqa: BLE001 - whatever the metadata hold
            return Turn(method=None, sound=False)
    return Turn(method=method, sound=not list_complaints(caught))


def list_complaints(caught: Iterable[warnings.WarningMessage]) -> list[Warning]:
    """Return those of the warnings that concern a file; notices for programmers do not."""
    return [
        one.message
        for one in caught
        if isinstance(one.message, Warning) and issubclass(one.category, UserWarning | RuntimeWarning)
    ]
