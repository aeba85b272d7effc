"""The schema of every table of an explanation; the documentation is generated from here."""

from collections.abc import Mapping

import pyarrow as pa

from embshift.runs.schema import Column, Table

__all__ = ["EXPLAINED", "FOLDER", "LIST", "RECORD", "TEXTS", "TEXTS_RECORD"]

FOLDER, RECORD = "explain", "explain.json"
TEXTS, TEXTS_RECORD = "texts.parquet", "texts.json"
"""Names of the folder below a run, and of the files in it."""

LIST = pa.list_(pa.float32())
"""Type of a list with one value for each component, patch, layer or head."""

_VIEW = (
    Column(name="row", type=pa.int64(), meaning="position in the run's listing, from 0"),
    Column(name="image_id", type=pa.string(), meaning="as in the run's tables"),
    Column(name="transform", type=pa.string(), meaning="name in the plan"),
    Column(name="draw", type=pa.int32(), meaning="repeat with other random numbers, from 0"),
)


def _column(name: str, kind: pa.DataType, meaning: str) -> Column:
    return Column(name=name, type=kind, meaning=meaning)


SHARES = Table(
    name="shares",
    summary="one row per view; written last, it commits the chunk",
    columns=(
        *_VIEW,
        _column("shift", pa.float64(), "length of z′ − z, both of length 1"),
        _column("length_ratio", pa.float64(), "length of the view's raw embedding over the original's"),
        _column("share", LIST, "share of each component, in the record's order; NaN without a shift"),
    ),
)

PATCHES = Table(
    name="patches",
    summary="one row per view, kind of patch and direction",
    columns=(
        *_VIEW,
        _column("kind", pa.string(), "direct, class or full"),
        _column("direction", pa.string(), "clean_into_view or view_into_clean"),
        _column("recovered", LIST, "part of the shift along itself that each patch undoes or makes"),
        _column("closeness", LIST, "1 minus the squared distance that is left, over the squared shift"),
    ),
)

MAPS = Table(
    name="maps",
    summary="one row per view: where in the image the heads' part of the shift comes from",
    columns=(
        *_VIEW,
        _column("rows", pa.int32(), "rows of the grid of patches"),
        _column("columns", pa.int32(), "columns of the grid"),
        _column("field", LIST, "top, left, height and width of what the encoder sees, in pixels"),
        _column("view", LIST, "part of each patch of the view, in units of share"),
        _column("clean", LIST, "part of each patch of the original, at its place there"),
        _column("carried", LIST, "the same, carried to its place in the view"),
        _column("left_picture", pa.float64(), "what of the original's part is outside the view"),
        _column("not_placed", pa.float64(), "share of what has no place: inner layers, class token, stem"),
    ),
)

LAYERS = Table(
    name="layers",
    summary="one row per view",
    columns=(
        *_VIEW,
        _column("cosine", LIST, "cosine of the token that is read, after each layer"),
        _column("patch_cosine", LIST, "mean cosine of the patches, aligned by the coordinate map"),
    ),
)

HEADS = Table(
    name="heads",
    summary="one row per view; lists hold all heads of the first layer, then of the second, and so on",
    columns=(
        *_VIEW,
        _column("divergence", LIST, "Jensen–Shannon divergence of the attention over patches, in bits"),
        _column("entropy_change", LIST, "entropy of the view's attention minus the original's, in bits"),
        _column("overlap", LIST, "intersection over union of the patches that hold half of the attention"),
    ),
)

MEANS = Table(
    name="means",
    summary="one row per transform and component: a sum over the chunk's views",
    columns=(
        _column("transform", pa.string(), "name in the plan"),
        _column("component", pa.int32(), "position among the record's components"),
        _column("views", pa.int64(), "number of views in the sum"),
        _column("total", LIST, "sum of the component's part of z′ − z"),
    ),
)

SIMILARITY = Table(
    name="similarity",
    summary="one row per transform and layer: the parts of the CKA between original and view over the chunk",
    columns=(
        _column("transform", pa.string(), "name in the plan"),
        _column("layer", pa.int32(), "from 0"),
        _column("images", pa.int64(), "number of images"),
        _column("cross", pa.float64(), "unbiased HSIC of originals and views"),
        _column("clean", pa.float64(), "unbiased HSIC of the originals with themselves"),
        _column("view", pa.float64(), "unbiased HSIC of the views with themselves"),
    ),
)

EXPLAINED: Mapping[str, Table] = {
    table.name: table for table in (SHARES, PATCHES, MAPS, LAYERS, HEADS, MEANS, SIMILARITY)
}
"""Every table of an explanation, by name."""
