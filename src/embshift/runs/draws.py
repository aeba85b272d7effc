"""Values of one metric draw by draw, as sums per image: what a split of the variance needs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from embshift.runs.arrow import as_array

__all__ = ["DrawSums", "draw_sums"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawSums:
    """Defined values of one metric, image by image and transform by transform.

    Attributes:
        transforms: Names along the second axis.
        count: Number of draws with a defined value.
        mean: Their mean, in the metric's unit; 0 without a draw.
        squares: Sum of their squared differences from that mean.
    """

    transforms: tuple[str, ...]
    count: Int64[np.ndarray, "images transforms"]
    mean: Float64[np.ndarray, "images transforms"]
    squares: Float64[np.ndarray, "images transforms"]


def draw_sums(
    chunks: Iterable[pa.Table], *, transforms: Sequence[str], metric: str, skip: frozenset[int]
) -> DrawSums:
    """Sum the draws of each image from the table ``shifts``.

    Args:
        chunks: The table, chunk by chunk; all rows of an image are in one chunk.
        transforms: Names to take, in order.
        metric: The metric to take.
        skip: Rows to leave out, since their image equals an earlier one.
    """
    parts = [_sum_chunk(chunk, transforms, metric, skip) for chunk in chunks]
    none = np.empty((0, len(transforms)))
    count, mean, squares = (
        np.concatenate(part) for part in zip((none.astype(np.int64), none, none), *parts, strict=True)
    )
    return DrawSums(transforms=tuple(transforms), count=count, mean=mean, squares=squares)


def _sum_chunk(
    chunk: pa.Table, transforms: Sequence[str], metric: str, skip: frozenset[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kept = chunk.filter((pc.field("metric") == metric) & pc.field("value").is_valid())
    kept = kept.filter(~pc.field("row").isin(list(skip))) if skip else kept
    position = {name: at for at, name in enumerate(transforms)}
    transform = np.array([position.get(name, -1) for name in kept["transform"].to_pylist()], np.int64)
    value = as_array(kept["value"])
    rows, image = np.unique(as_array(kept["row"]), return_inverse=True)
    taken = (transform >= 0) & ~np.isnan(value)
    shape = (len(rows), len(transforms))
    at, value = (image * len(transforms) + transform)[taken], value[taken]
    count = np.bincount(at, minlength=len(rows) * len(transforms))
    total = np.bincount(at, value, len(count))
    mean = np.divide(total, count, out=np.zeros(len(count)), where=count > 0)
    # About the image's own mean: the difference of two large sums would lose a small spread to rounding.
    squares = np.bincount(at, (value - mean[at]) ** 2, len(count))
    return count.reshape(shape), mean.reshape(shape), squares.reshape(shape)
