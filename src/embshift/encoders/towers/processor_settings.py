"""Settings of an image processor, checked when an encoder is opened and not at its first image."""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard, cast

from embshift.core.errors import EncoderError

__all__ = ["check_patches", "check_settings"]

_FILTERS = range(6)
"""Pillow's resampling filters."""

_LONGEST, _MOST = 2**14, 2**16
"""Pixels of a side and patches of an image, beyond those of any encoder: more would only fill the memory."""


def check_settings(settings: Mapping[str, Any], *, broadcast: bool) -> None:
    """Check that an image processor's settings state all that they ask for.

    Args:
        settings: The processor's settings, without those that are null.
        broadcast: Whether a list of one number stands for all channels, as in the library's torch backend;
            its Pillow backend refuses it. A plain number always does.

    Raises:
        EncoderError: A setting is missing or of another type; the field is named.
    """
    if settings.get("do_rescale"):
        _check_number(settings.get("rescale_factor"), field="rescale_factor", because="do_rescale")
    if settings.get("do_normalize"):
        for field in ("image_mean", "image_std"):
            _check_channels(settings.get(field), field=field, broadcast=broadcast)
    if settings.get("do_resize") and "max_num_patches" not in settings:  # which stands for a size
        _check_stated(settings.get("size"), field="size", because="do_resize")
        if settings.get("resample") not in _FILTERS:
            raise _make_error("resample", settings.get("resample"), "a resampling filter of Pillow, 0 to 5")
    if settings.get("do_center_crop"):
        _check_stated(settings.get("crop_size"), field="crop_size", because="do_center_crop")


def check_patches(settings: Mapping[str, Any], *, patch: tuple[int, int]) -> None:
    """Check the settings of an image processor that cuts images into patches itself (NaFlex).

    Args:
        settings: The processor's settings, without those that are null.
        patch: Height and width of a patch in pixels, as the network takes it.

    Raises:
        EncoderError: A setting is missing, of another type, or another than the network's; it is named.
    """
    side, most = settings.get("patch_size"), settings.get("max_num_patches")
    if not _is_whole(side) or not 0 < side <= _LONGEST:
        raise _make_error("patch_size", side, f"a whole number of pixels, {_LONGEST:,} at most")
    if not _is_whole(most) or not 0 < most <= _MOST:
        raise _make_error("max_num_patches", most, f"a whole number, {_MOST:,} at most")
    if patch != (side, side):
        raise EncoderError(
            f"preprocessor_config.json states patch_size {side}, but config.json {patch[0]} by {patch[1]};"
            " download both files again"
        )


def _check_stated(value: Any, *, field: str, because: str) -> None:
    sides: list[Any] = list(cast(Mapping[str, Any], value).values()) if isinstance(value, Mapping) else [None]
    if not sides or not all(_is_number(side) and 0 < side <= _LONGEST for side in sides):
        wanted = f"a size in pixels, {_LONGEST:,} at most, because {because} is true"
        raise _make_error(field, value, wanted)
    stated = {"height", "width"} & set(cast(Mapping[str, Any], value))
    if len(stated) == 1 or (field == "crop_size" and not stated):
        raise _make_error(field, value, f"height and width in pixels, because {because} is true")


def _check_number(value: Any, *, field: str, because: str) -> None:
    if not _is_number(value):
        raise _make_error(field, value, f"a number, because {because} is true")


def _check_channels(value: Any, *, field: str, broadcast: bool) -> None:
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    lengths = (1, 3) if broadcast or not isinstance(value, list | tuple) else (3,)
    if len(numbers) not in lengths or not all(map(_is_number, numbers)):
        raise _make_error(field, value, "three numbers, because do_normalize is true")
    if field == "image_std" and not all(numbers):
        raise _make_error(field, value, "numbers other than 0")


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _make_error(field: str, value: Any, expected: str) -> EncoderError:
    return EncoderError(f"preprocessor_config.json states {field} {value!r}; expected {expected}")
