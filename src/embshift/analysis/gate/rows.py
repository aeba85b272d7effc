"""Rows of a baseline file: one for each image and transform, and one for each original."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32

from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.compared.values import ComparedValues
from embshift.analysis.pairing.panels import DIGITS, Panel
from embshift.core.types import ORIGINAL

__all__ = ["list_rows", "read_rows"]


def list_rows(
    panel: Panel, values: ComparedValues, *, embeddings: Float32[np.ndarray, "images dim"] | None
) -> pa.Table:
    """Return the table: digests by draw, values, pulls, and the originals' embeddings.

    Args:
        panel: Images, transforms and digests of the run.
        values: Values of its images.
        embeddings: Raw embeddings of the originals, in the order of ``values.ids``; None to leave them out.
    """
    names, views = (ORIGINAL, *values.transforms), panel.views.to_pydict()
    digests: dict[tuple[str, str], dict[int, str | None]] = {}
    for image, name, draw, digest in zip(*(views[key] for key in _KEYS), strict=True):
        digests.setdefault((name, image), {})[draw] = digest
    # An image without an embedding of its original has no values, but is paired by its digests.
    images = sorted({*values.ids, *views["image"]})
    at = {image: place for place, image in enumerate(values.ids)}
    columns: dict[str, pa.Array] = {
        "image": pa.array(images * len(names), pa.string()),
        "transform": pa.array([name for name in names for _ in images], pa.string()),
        "digests": pa.array(
            [_in_order(digests.get((name, image), {})) for name in names for image in images],
            pa.list_(pa.uint64()),
        ),
    }
    for prefix, array in (("", values.values), ("pull_", values.scale_pulls)):
        for place, statistic in enumerate(values.statistics):
            column = np.full((len(names), len(images)), np.nan)
            for row, image in enumerate(images):
                if image in at:
                    column[1:, row] = array[at[image], :, place]
            columns[f"{prefix}{statistic}"] = pa.array(column.ravel())
    if embeddings is not None:
        known = [embeddings[at[image]] if image in at else None for image in images]
        kind = pa.list_(pa.float32(), embeddings.shape[1])
        columns["embedding"] = pa.array([*known, *[None] * (len(images) * len(values.transforms))], kind)
    return pa.table(columns)


_KEYS = ("image", "transform", "draw", "digest")


def _in_order(found: dict[int, str | None]) -> list[int | None]:
    """Return digests by draw, None where a draw has no embedding."""
    digests = (found.get(draw) for draw in range(max(found, default=-1) + 1))
    return [None if digest is None else int(digest, 16) for digest in digests]


def read_rows(
    table: pa.Table, *, transforms: Sequence[str]
) -> tuple[pa.Table, ComparedValues, Float32[np.ndarray, "images dim"] | None]:
    """Return the views of a panel, the values, and the originals' embeddings where they are stored.

    Args:
        table: What `list_rows` gave.
        transforms: Names of the transforms, in order.

    Raises:
        KeyError: If a column is missing.
        ValueError: If rows are missing.
    """
    images = len(table) // (len(transforms) + 1)
    names = np.repeat([ORIGINAL, *transforms], images)
    if table["transform"].to_pylist() != names.tolist():
        raise ValueError("rows of transforms are missing")
    ids = table["image"].to_pylist()[:images]
    arrays = []
    for prefix in ("", "pull_"):
        columns = [table[f"{prefix}{name}"].to_numpy().reshape(-1, images)[1:] for name in COMPARED]
        arrays.append(np.stack(columns, axis=2).transpose(1, 0, 2))
    # The pull of an image that has no value is 0, and NaN where the image has none at all.
    known = ~np.isnan(arrays[1]).any(axis=(1, 2))
    values = ComparedValues(
        ids=tuple(name for name, own in zip(ids, known.tolist(), strict=True) if own),
        transforms=tuple(transforms),
        statistics=tuple(COMPARED),
        values=arrays[0][known],
        scale_pulls=arrays[1][known],
    )
    return _read_views(table), values, _read_embeddings(table, known)


def _read_embeddings(
    table: pa.Table, known: Bool[np.ndarray, " rows"]
) -> Float32[np.ndarray, "images dim"] | None:
    if "embedding" not in table.column_names:
        return None
    column = table["embedding"].combine_chunks().slice(0, len(known)).filter(pa.array(known))
    return column.flatten().to_numpy().reshape(len(column), -1)


def _read_views(table: pa.Table) -> pa.Table:
    keys = (table[name].to_pylist() for name in ("image", "transform", "digests"))
    views = [
        (image, name, draw, None if digest is None else f"{digest:0{DIGITS}x}")
        for image, name, digests in zip(*keys, strict=True)
        for draw, digest in enumerate(digests)
    ]
    columns = list(zip(*views, strict=True)) or [()] * 4
    kinds = (pa.string(), pa.string(), pa.int32(), pa.string())
    return pa.table(
        {name: pa.array(part, kind) for name, part, kind in zip(_KEYS, columns, kinds, strict=True)}
    )
