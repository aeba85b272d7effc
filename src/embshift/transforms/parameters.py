"""The values that a transform drew, converted to what JSON can hold."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
from jaxtyping import Shaped

__all__ = ["select_drawn_values", "to_json_value"]

# Albumentations adds these to every draw; they come from the plan or the image and are not drawn.
NOT_DRAWN = frozenset({"shape", "interpolation", "fill", "fill_mask"})
LARGEST_ARRAY = 64
"""The most numbers of an array that are written out: a 3x3 matrix is, a noise field is not."""
_JSON_TYPES = frozenset({int, bool, str, type(None)})


def select_drawn_values(parameters: Mapping[Any, Any]) -> dict[str, Any]:
    """Return those parameters of an albumentations transform that were drawn, ready for JSON."""
    return {str(name): to_json_value(value) for name, value in parameters.items() if name not in NOT_DRAWN}


def to_json_value(value: Any) -> Any:
    """Convert a value to the types of strict JSON.

    NumPy scalars become Python numbers, and tuples become lists. JSON has no NaN or infinity: they become the
    strings "nan", "inf" and "-inf". An array of at most 64 numbers is written out. Of a larger one the shape
    and type are kept, and for floats the mean and standard deviation to six digits, because the strength of a
    noise field is recorded nowhere else. Anything else becomes its string form.
    """
    if type(value) in _JSON_TYPES:  # true of most values, and several times as fast as the checks below
        return value
    if isinstance(value, np.ndarray):
        array = cast(np.ndarray, value)
        return to_json_value(array.tolist()) if array.size <= LARGEST_ARRAY else _summarise(array)
    if isinstance(value, np.generic):
        return to_json_value(value.item())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(name): to_json_value(item) for name, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json_value(item) for item in cast(Iterable[Any], value)]
    return value if isinstance(value, str | int) else str(value)


def _summarise(array: Shaped[np.ndarray, "..."]) -> dict[str, Any]:
    summary: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
    if array.dtype.kind == "f":
        # Six digits, because the last ones depend on the order in which a processor adds.
        summary |= {
            "mean": to_json_value(_round_to_six_digits(float(array.mean()))),
            "std": to_json_value(_round_to_six_digits(float(array.std()))),
        }
    return summary


def _round_to_six_digits(number: float) -> float:
    return float(f"{number:.6g}")
