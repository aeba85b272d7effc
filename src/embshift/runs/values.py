"""Values per image, transform and metric: draws are averaged first, and equal images count once."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int64, Integer

from embshift.runs.arrow import as_array

__all__ = ["ImageValues", "image_values", "join_values"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageValues:
    """Values with the image as the unit of observation.

    Attributes:
        rows: Row of each image in the listing.
        transforms: Names along the second axis.
        metrics: Names along the third axis.
        values: Mean over the draws with a defined value; NaN if there is none.
        recorded: Whether any draw was recorded; a recorded value that is NaN is undefined, not missing.
        undefined: Number of draws that were recorded and are NaN.
    """

    rows: Int64[np.ndarray, " images"]
    transforms: tuple[str, ...]
    metrics: tuple[str, ...]
    values: Float[np.ndarray, "images transforms metrics"]
    recorded: Bool[np.ndarray, "images transforms metrics"]
    undefined: Integer[np.ndarray, "images transforms metrics"]


def image_values(
    chunks: Iterable[pa.Table],
    *,
    transforms: Sequence[str],
    metrics: Sequence[str],
    skip: frozenset[int] | Int64[np.ndarray, " rows"],
) -> ImageValues:
    """Compute the values of each image from the table ``shifts``.

    Args:
        chunks: The table, chunk by chunk; all rows of an image are in one chunk.
        transforms: Names to take, in order.
        metrics: Names to take, in order.
        skip: Rows to leave out, since their image equals an earlier one; ascending where an array.
    """
    left_out = np.array(sorted(skip), np.int64) if isinstance(skip, frozenset) else skip
    parts = [_chunk_values(chunk, transforms, metrics, left_out) for chunk in chunks]
    shape = (0, len(transforms), len(metrics))
    empty = (np.empty(0, np.int64), np.empty(shape), np.empty(shape, bool), np.empty(shape, np.int64))
    rows, values, recorded, undefined = (np.concatenate(part) for part in zip(empty, *parts, strict=True))
    return ImageValues(
        rows=rows,
        transforms=tuple(transforms),
        metrics=tuple(metrics),
        values=values,
        recorded=recorded,
        undefined=undefined,
    )


def join_values(parts: Sequence[ImageValues], /) -> ImageValues:
    """Join values of different images, one part or more, with the same transforms and metrics."""
    names = ("rows", "values", "recorded", "undefined")
    return replace(
        parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def _codes(column: pa.ChunkedArray, names: Sequence[str]) -> Int64[np.ndarray, " values"]:
    """Return the position of each name; -1 for unknown names."""
    encoded = column.combine_chunks().dictionary_encode()
    position = {name: at for at, name in enumerate(names)}
    lookup = np.array([position.get(name, -1) for name in encoded.dictionary.to_pylist()] or [-1], np.int64)
    return lookup[as_array(encoded.indices)]


def _chunk_values(
    chunk: pa.Table, transforms: Sequence[str], metrics: Sequence[str], skip: Int64[np.ndarray, " rows"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    row = as_array(chunk["row"])
    transform, metric = _codes(chunk["transform"], transforms), _codes(chunk["metric"], metrics)
    # Only the rows to leave out that this chunk may hold: there may be many in a large run.
    ends = np.searchsorted(skip, [row.min(), row.max() + 1]) if len(row) else (0, 0)
    keep = (transform >= 0) & (metric >= 0) & ~np.isin(row, skip[ends[0] : ends[1]])
    rows, image = np.unique(row[keep], return_inverse=True)
    value = as_array(chunk["value"])[keep]
    shape = (len(rows), len(transforms), len(metrics))
    at = (image * len(transforms) + transform[keep]) * len(metrics) + metric[keep]
    defined = ~np.isnan(value)
    total, count, undefined = (
        np.bincount(at[which], weights, math.prod(shape)).reshape(shape)
        for which, weights in ((defined, value[defined]), (defined, None), (~defined, None))
    )
    mean = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
    return rows, mean, count + undefined > 0, undefined
