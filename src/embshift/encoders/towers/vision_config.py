"""Configuration of an image tower: the fields that decide about shapes, checked before anything is built."""

import importlib
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
    for field in ("hidden_size", "num_hidden_layers"):
        if getattr(config, field) < 1:
            raise EncoderError(f"config.json states {field} {getattr(config, field)}; expected at least 1")
    _check_activation(getattr(config, "hidden_act", None))
    if heads < 1 or width % heads:
        raise EncoderError(
            f"config.json states num_attention_heads {heads}, which does not divide hidden_size {width}"
        )


def _check_activation(name: Any) -> None:
    known: Any = importlib.import_module("transformers.activations").ACT2FN
    if name is not None and name not in known:
        raise EncoderError(
            f"config.json states hidden_act {name!r}; expected one of {', '.join(sorted(known))}"
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
