"""What a user states about an ONNX model, in a TOML file beside it."""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from embshift.core.errors import EncoderError
from embshift.core.text_files import load_toml

__all__ = ["FILTERS", "Settings", "read_settings"]

FILTERS: Mapping[str, int] = {
    "nearest": 0,
    "lanczos": 1,
    "bilinear": 2,
    "bicubic": 3,
    "box": 4,
    "hamming": 5,
}
"""Pillow's resampling filters by name."""

_LARGEST = 16384
Size = int | tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The content of the TOML file; None where it says nothing.

    Attributes:
        input: Name of the graph's input that takes images.
        output: Name of the output that is the embedding.
        attention: Name of the output that is the map: n × heads × patches, or n × patches.
        layout: Order of the input's axes.
        resize: Length of the shorter side, or height and width, in pixels.
        crop: Side, or height and width, of the crop from the centre, in pixels.
        interpolation: One of `FILTERS`.
        scale: What bytes are multiplied by.
        mean: What is then subtracted, by channel.
        deviation: What is then divided by, by channel.
        grid: Rows and columns of the map's patches.
    """

    input: str | None = None
    output: str | None = None
    attention: str | None = None
    layout: Literal["NCHW", "NHWC"] | None = None
    resize: Size | None = None
    crop: tuple[int, int] | None = None
    interpolation: str = "bicubic"
    scale: float | None = None
    mean: tuple[float, float, float] | None = None
    deviation: tuple[float, float, float] | None = None
    grid: tuple[int, int] | None = None


def read_settings(file: Path, /) -> Settings:
    """Read the TOML file beside a model; without one, nothing is stated.

    Raises:
        EncoderError: It cannot be read, or states something unknown or of another type; the field is named.
    """
    if not file.exists() and not file.is_symlink():
        return Settings()
    try:
        stated = load_toml(file)
    except (OSError, ValueError) as error:
        raise EncoderError(f"'{file}' cannot be read as TOML: {error}") from error
    return Settings(**{name: _read_field(name, value, file=file) for name, value in stated.items()})


def _read_field(name: str, value: Any, *, file: Path) -> Any:
    if name not in _READERS:
        near: list[str] = difflib.get_close_matches(name, _READERS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(_READERS)}"
        raise EncoderError(f"'{file}' states '{name}', which is unknown; {hint}")
    read, expected = _READERS[name]
    found = read(value)
    if found is None:
        raise EncoderError(f"'{file}' states {name} = {value!r}; expected {expected}")
    return found


def _read_name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _read_layout(value: Any) -> str | None:
    return value if value in ("NCHW", "NHWC") else None


def _read_filter(value: Any) -> str | None:
    return value if isinstance(value, str) and value in FILTERS else None


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST


def _read_pair(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(sides := cast(list[Any], value)) != 2:
        return None
    return (sides[0], sides[1]) if all(map(_is_side, sides)) else None


def _read_resize(value: Any) -> Size | None:
    return value if _is_side(value) else _read_pair(value)


def _read_crop(value: Any) -> tuple[int, int] | None:
    return (value, value) if _is_side(value) else _read_pair(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _read_scale(value: Any) -> float | None:
    return float(value) if _is_number(value) and value > 0 else None


def _read_mean(value: Any) -> tuple[float, ...] | None:
    numbers = cast(list[Any], value) if isinstance(value, list) else [value] * 3
    return tuple(map(float, numbers)) if len(numbers) == 3 and all(map(_is_number, numbers)) else None


def _read_deviation(value: Any) -> tuple[float, ...] | None:
    numbers = _read_mean(value)
    return numbers if numbers is not None and all(number > 0 for number in numbers) else None


_SIDES = f"a number of pixels, or [height, width], up to {_LARGEST}"
_READERS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "input": (_read_name, "the name of an input"),
    "output": (_read_name, "the name of an output"),
    "attention": (_read_name, "the name of an output"),
    "layout": (_read_layout, '"NCHW" or "NHWC"'),
    "resize": (_read_resize, f"the shorter side as {_SIDES}"),
    "crop": (_read_crop, _SIDES),
    "interpolation": (_read_filter, ", ".join(FILTERS)),
    "scale": (_read_scale, "a number above 0, such as 0.00392156862745098 for 1/255"),
    "mean": (_read_mean, "three numbers, of red, green and blue"),
    "deviation": (_read_deviation, "three numbers above 0, of red, green and blue"),
    "grid": (_read_pair, "[rows, columns]"),
}
