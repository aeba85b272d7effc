"""Configuration of an image tower: the fields that decide about shapes, checked before anything is built."""

from typing import Any, cast

from embshift.core.errors import EncoderError

__all__ = ["check_vision_config", "get_vision_config", "read_image_sides", "read_patch_sides"]


def get_vision_config(config: Any) -> Any:
    """Return the configuration of the image tower."""
    return getattr(config, "vision_config", config)


def check_vision_config(config: Any) -> None:
    """Check the fields of an image tower's configuration that the library itself accepts unseen.

    Raises:
        EncoderError: A field has a value with which no RGB image can be encoded; the field is named.
    """
    channels = getattr(config, "num_channels", 3)
    if channels != 3:
        raise EncoderError(
            f"config.json states num_channels {channels}; expected 3, because images are encoded in RGB"
        )
    for field in ("patch_size", "image_size"):
        if (value := getattr(config, field, None)) is not None:
            _read_sides(value, field=field)
    width, heads = config.hidden_size, config.num_attention_heads
    if heads < 1 or width % heads:
        raise EncoderError(
            f"config.json states num_attention_heads {heads}, which does not divide hidden_size {width}"
        )


def read_image_sides(config: Any) -> tuple[int, int]:
    """Return the height and width of an input, in pixels, that a vision configuration states."""
    return _read_sides(config.image_size, field="image_size")


def read_patch_sides(config: Any) -> tuple[int, int]:
    """Return the height and width of a patch, in pixels, that a vision configuration states."""
    return _read_sides(config.patch_size, field="patch_size")


def _read_sides(value: Any, *, field: str) -> tuple[int, int]:
    sides = cast("list[Any]", list(value)) if isinstance(value, list | tuple) else [value, value]
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise EncoderError(f"config.json states {field} {value}; expected a whole number of pixels, or two")
    return sides[0], sides[1]
