"""The values that a transform drew, as JSON can hold them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
from jaxtyping import Shaped

__all__ = ["drawn_values", "jsonable"]

# Albumentations adds these to every draw; they are the plan's, or the picture's, and not drawn.
GIVEN = frozenset({"shape", "interpolation", "fill", "fill_mask"})
LARGEST_ARRAY = 64
"""Numbers of an array that is still written out: a 3x3 matrix is, a noise field is not."""
_PLAIN = frozenset({int, bool, str, type(None)})


def drawn_values(parameters: Mapping[Any, Any]) -> dict[str, Any]:
    """The drawn values of one transform of albumentations, ready for JSON."""
    return {str(name): jsonable(value) for name, value in parameters.items() if name not in GIVEN}


def jsonable(value: Any) -> Any:
    """A value in the types of strict JSON.

    Numpy scalars become Python's and tuples lists. JSON has no NaN or infinity: they become the texts
    "nan", "inf" and "-inf". An array of at most 64 numbers is written out; of a larger one stay shape and
    type, and of floats the mean and standard deviation, to six digits: the strength of a noise field is
    nowhere else. What JSON has no word for becomes its text.
    """
    if type(value) in _PLAIN:  # most are, and to ask for the others takes several times as long
        return value
    if isinstance(value, np.ndarray):
        array = cast(np.ndarray, value)
        return jsonable(array.tolist()) if array.size <= LARGEST_ARRAY else _outline(array)
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(name): jsonable(item) for name, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in cast(Iterable[Any], value)]
    return value if isinstance(value, str | int) else str(value)


def _outline(array: Shaped[np.ndarray, "..."]) -> dict[str, Any]:
    outline: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
    if array.dtype.kind == "f":
        # Six digits, since the last ones depend on the order in which a processor adds.
        outline |= {
            "mean": jsonable(_rounded(float(array.mean()))),
            "std": jsonable(_rounded(float(array.std()))),
        }
    return outline


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")
