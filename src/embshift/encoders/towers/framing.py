"""Which part of an image an encoder sees: resize, centre crop, and whole patches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embshift.core.errors import EncoderError
from embshift.core.types import Field

__all__ = ["Frame", "field_of", "frame_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What becomes of an image before it is cut into patches; all sizes are (height, width) in pixels.

    Attributes:
        image: Size of the image given.
        resized: Its size after the resize.
        crop: Size that is kept of that.
        corner: Top and left of the crop in the resized image.
    """

    image: tuple[int, int]
    resized: tuple[int, int]
    crop: tuple[int, int]
    corner: tuple[int, int]

    @property
    def is_whole(self) -> bool:
        """Whether the image passes untouched: no resize, no crop."""
        return self.image == self.resized == self.crop


def frame_of(settings: Mapping[str, Any], *, height: int, width: int) -> Frame:
    """The frame of an image under an image processor's settings.

    Args:
        settings: The processor's settings: ``do_resize``, ``size``, ``do_center_crop``, ``crop_size``.
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.

    Raises:
        EncoderError: The settings ask for something else, or for a crop larger than what it is cut from.
    """
    resized = (height, width)
    if settings.get("do_resize"):
        resized = _resized(settings["size"], height=height, width=width)
    crop = resized
    if settings.get("do_center_crop"):
        crop = (int(settings["crop_size"]["height"]), int(settings["crop_size"]["width"]))
    if crop[0] > resized[0] or crop[1] > resized[1]:
        raise EncoderError(
            f"the encoder's preprocessing crops {crop} out of a resized image of {resized}; "
            "padding is not supported: set crop_size to at most size in its preprocessor_config.json"
        )
    corner = ((resized[0] - crop[0]) // 2, (resized[1] - crop[1]) // 2)
    return Frame(image=(height, width), resized=resized, crop=crop, corner=corner)


def field_of(frame: Frame, *, seen: tuple[int, int]) -> Field:
    """The rectangle of the image that was seen.

    Args:
        frame: What became of the image.
        seen: Height and width that whole patches cover, from the crop's top left corner. It is less than the
            crop where a patch does not divide it: SigLIP's 384 pixels hold 27 patches of 14.

    Returns:
        Top, left, height and width in pixels of the image given.
    """
    down = frame.image[0] / frame.resized[0]
    across = frame.image[1] / frame.resized[1]
    top, left = frame.corner
    return Field(top=top * down, left=left * across, height=seen[0] * down, width=seen[1] * across)


def _resized(size: Mapping[str, Any], *, height: int, width: int) -> tuple[int, int]:
    given = {key for key, value in size.items() if value}
    if given == {"height", "width"}:
        return int(size["height"]), int(size["width"])
    if given == {"shortest_edge"}:
        short = int(size["shortest_edge"])
        # The library truncates the longer edge.
        if width <= height:
            return int(short * height / width), short
        return short, int(short * width / height)
    raise EncoderError(
        f"the encoder's preprocessing has size {dict(size)}; shortest_edge, or height and width, is wanted"
    )
