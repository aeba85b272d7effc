"""Measured images as the tables of one chunk."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from embshift.analysis.inside.similarity import unbiased_hsic
from embshift.measurement.studies.explain.measured import MeasuredImage
from embshift.runs.explained_schema import EXPLAINED

__all__ = ["tabulate"]

Row = dict[str, Any]


def tabulate(images: Sequence[MeasuredImage]) -> Mapping[str, pa.Table]:
    """Return the tables of one chunk.

    Args:
        images: What was measured of its images.
    """
    rows: Mapping[str, Callable[[MeasuredImage, int], Iterable[Row]]] = {
        "shares": _list_shares,
        "patches": _list_patches,
        "maps": _list_maps,
        "layers": _list_layers,
        "heads": _list_heads,
    }
    found = {name: _make(name, _list_rows(images, rows_of)) for name, rows_of in rows.items()}
    return found | {
        "means": _make("means", _add_up(images)),
        "similarity": _make("similarity", _compare(images)),
    }


def _list_rows(
    images: Sequence[MeasuredImage], rows_of: Callable[[MeasuredImage, int], Iterable[Row]]
) -> Iterable[Row]:
    for image in images:
        for at in range(len(image.keys)):
            for row in rows_of(image, at):
                yield _name_view(image, at) | row


def _make(name: str, rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=EXPLAINED[name].arrow())


def _name_view(image: MeasuredImage, at: int) -> Row:
    transform, draw = image.keys[at]
    return {"row": image.row, "image_id": image.image_id, "transform": transform, "draw": draw}


def _list_shares(image: MeasuredImage, at: int) -> Iterable[Row]:
    yield {
        "shift": float(image.shift[at]),
        "length_ratio": float(image.length_ratio[at]),
        "share": image.share[at].astype(np.float32),
    }


def _list_patches(image: MeasuredImage, at: int) -> Iterable[Row]:
    for one in image.patches:
        yield {
            "kind": one.kind,
            "direction": one.direction,
            "recovered": one.recovered[at].astype(np.float32),
            "closeness": one.closeness[at].astype(np.float32),
        }


def _list_maps(image: MeasuredImage, at: int) -> Iterable[Row]:
    one = image.maps[at]
    yield {
        "rows": one.grid[0],
        "columns": one.grid[1],
        "field": np.array(one.field, np.float32),
        "view": one.view.astype(np.float32),
        "clean": one.clean.astype(np.float32),
        "carried": one.carried.astype(np.float32),
        "left_picture": one.left_picture,
        "not_placed": one.not_placed,
    }


def _list_layers(image: MeasuredImage, at: int) -> Iterable[Row]:
    yield {
        "cosine": image.layers.cosine[at].astype(np.float32),
        "patch_cosine": image.layers.patch_cosine[at].astype(np.float32),
    }


def _list_heads(image: MeasuredImage, at: int) -> Iterable[Row]:
    yield {
        "divergence": image.heads.divergence[at].ravel().astype(np.float32),
        "entropy_change": image.heads.entropy_change[at].ravel().astype(np.float32),
        "overlap": image.heads.overlap[at].ravel().astype(np.float32),
    }


def _list_transforms(images: Sequence[MeasuredImage]) -> list[str]:
    return list(dict.fromkeys(name for one in images for name, _ in one.keys))


def _add_up(images: Sequence[MeasuredImage]) -> Iterable[Row]:
    for transform in _list_transforms(images):
        own = [
            one.contributions[at]
            for one in images
            for at, (name, _) in enumerate(one.keys)
            if name == transform and not np.isnan(one.share[at]).any()
        ]
        if not own:
            continue
        total = np.sum(own, axis=0)
        for component, vector in enumerate(total):
            yield {
                "transform": transform,
                "component": component,
                "views": len(own),
                "total": vector.astype(np.float32),
            }


def _compare(images: Sequence[MeasuredImage]) -> Iterable[Row]:
    """Yield the parts of the CKA of each layer, over the first draw of each image."""
    for transform in _list_transforms(images):
        both = [
            (one.layers.clean, one.layers.views[at])
            for one in images
            for at, key in enumerate(one.keys)
            if key == (transform, 0)
        ]
        if len(both) < 4:
            continue
        clean, view = (np.stack([pair[side] for pair in both]) for side in (0, 1))  # (images, layers, width)
        for layer in range(clean.shape[1]):
            one, other = clean[:, layer], view[:, layer]
            yield {
                "transform": transform,
                "layer": layer,
                "images": len(both),
                "cross": unbiased_hsic(one, other),
                "clean": unbiased_hsic(one, one),
                "view": unbiased_hsic(other, other),
            }
