"""The part of an image that an encoder sees: resize, centre crop and whole patches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embshift.core.errors import EncoderError
from embshift.core.types import Field

__all__ = ["Frame", "compute_field", "compute_frame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Resize and crop of an image before it is cut into patches; sizes are (height, width) in pixels.

    Attributes:
        image: Size of the image.
        resized: Its size after the resize.
        crop: Size of the crop from the resized image.
        corner: Top and left of the crop in the resized image.
    """

    image: tuple[int, int]
    resized: tuple[int, int]
    crop: tuple[int, int]
    corner: tuple[int, int]

    @property
    def is_untouched(self) -> bool:
        """Whether the image is neither resized nor cropped."""
        return self.image == self.resized == self.crop


def compute_frame(settings: Mapping[str, Any], *, height: int, width: int) -> Frame:
    """Compute the frame of an image from an image processor's settings.

    Args:
        settings: The processor's settings: ``do_resize``, ``size``, ``do_center_crop``, ``crop_size``.
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.

    Raises:
        EncoderError: The settings have another kind of size, or a crop larger than the resized image.
    """
    resized = (height, width)
    if settings.get("do_resize"):
        resized = _compute_resized(settings["size"], height=height, width=width)
    crop = resized
    if settings.get("do_center_crop"):
        crop = (int(settings["crop_size"]["height"]), int(settings["crop_size"]["width"]))
    if crop[0] > resized[0] or crop[1] > resized[1]:
        raise EncoderError(
            f"the encoder's preprocessing crops {crop} from a resized image of {resized}, and padding is not "
            "supported; set crop_size to at most size in its preprocessor_config.json"
        )
    corner = ((resized[0] - crop[0]) // 2, (resized[1] - crop[1]) // 2)
    return Frame(image=(height, width), resized=resized, crop=crop, corner=corner)


def compute_field(frame: Frame, *, seen: tuple[int, int]) -> Field:
    """Compute the rectangle of the image that the encoder sees.

    Args:
        frame: Resize and crop of the image.
        seen: Height and width that whole patches cover, from the crop's top left corner. It is less than the
            crop if a patch does not divide the crop: SigLIP's 384 pixels hold 27 patches of 14.

    Returns:
        Top, left, height and width, in pixels of the image.
    """
    down = frame.image[0] / frame.resized[0]
    across = frame.image[1] / frame.resized[1]
    top, left = frame.corner
    return Field(top=top * down, left=left * across, height=seen[0] * down, width=seen[1] * across)


def _compute_resized(size: Mapping[str, Any], *, height: int, width: int) -> tuple[int, int]:
    given = {key for key, value in size.items() if value}
    if given == {"height", "width"}:
        return int(size["height"]), int(size["width"])
    if given == {"shortest_edge"}:
        short = int(size["shortest_edge"])
        # The library rounds the longer edge down.
        if width <= height:
            return int(short * height / width), short
        return short, int(short * width / height)
    raise EncoderError(
        f"the encoder's preprocessing has size {dict(size)}; expected shortest_edge, or height and width"
    )
