"""The schema of every table of a run folder; the documentation is generated from here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa

__all__ = ["SCHEMA_VERSION", "TABLES", "Column", "Table"]

SCHEMA_VERSION = 3
"""Increases when a reader of an older version would misread a table, or vouch for what it cannot check.

2: the ``images`` file of a chunk states the seals of the chunk's other files.
3: an image may be a part of the file at its path: a member of an archive, or a cell of a table.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: Its name.
        type: Its Arrow type; embeddings take their length from the encoder.
        meaning: What it holds, with unit or range, and when it is null.
        later: Whether chunks of an earlier version lack it; they are read as if it were null.
    """

    name: str
    type: pa.DataType
    meaning: str
    later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table, a folder of ``chunk-*.parquet`` files.

    Attributes:
        name: Name of the folder.
        summary: What one row is.
        columns: Its columns, in order.
    """

    name: str
    summary: str
    columns: tuple[Column, ...]

    def arrow(
        self,
        *,
        metadata: Mapping[str, str] | None = None,
        dim: int | None = None,
        without: Collection[str] = (),
    ) -> pa.Schema:
        """Return the Arrow schema.

        Args:
            metadata: Text for the footer.
            dim: Length of the embeddings.
            without: Columns that are left out, as in a chunk of an earlier version.
        """
        columns = [pa.field(c.name, _sized(c.type, dim)) for c in self.columns if c.name not in without]
        return pa.schema(columns, metadata=dict(metadata or {}))

    @property
    def later(self) -> frozenset[str]:
        """Names of the columns that chunks of an earlier version lack."""
        return frozenset(column.name for column in self.columns if column.later)


def _sized(kind: pa.DataType, dim: int | None) -> pa.DataType:
    return pa.list_(pa.float32(), dim) if kind == EMBEDDING and dim is not None else kind


EMBEDDING = pa.list_(pa.float32(), 0)
"""Placeholder for ``fixed_size_list<float32>`` until the encoder's length is known."""


def _column(name: str, kind: pa.DataType, meaning: str) -> Column:
    return Column(name=name, type=kind, meaning=meaning)


def _later(name: str, kind: pa.DataType, meaning: str) -> Column:
    return Column(name=name, type=kind, meaning=meaning, later=True)


_ROW = _column("row", pa.int64(), "position in the frozen listing, from 0; joins all tables")
_IMAGE_ID = _column(
    "image_id", pa.string(), "first 32 hexadecimal digits of sha256; equal images have equal ids"
)
_TRANSFORM = _column("transform", pa.string(), "name in the plan")
_SEVERITY = _column("severity", pa.int8(), "level 1-5; null for a transform without levels")
_STRENGTH = _column(
    "strength", pa.float64(), "physical parameter, in the transform's unit; null if it has none"
)
_DRAW = _column("draw", pa.int32(), "repeat with other random numbers, from 0")

IMAGES = Table(
    name="images",
    summary="one row per input, including those that could not be used; written last, it commits the chunk",
    columns=(
        _ROW,
        _IMAGE_ID,
        _column("source", pa.string(), "the SOURCE argument that the input belongs to"),
        _column("member", pa.string(), "path below the source"),
        _column(
            "index",
            pa.int64(),
            "position inside a file that holds several images, e.g. a row of a table; else 0",
        ),
        _column(
            "path",
            pa.string(),
            "absolute path of its file, undecodable bytes shown as U+FFFD; null for memory",
        ),
        _column("path_bytes", pa.binary(), "the path's bytes if `path` is not exact; null otherwise"),
        _column(
            "bytes",
            pa.int64(),
            "size of the image as stored: of its file, or of its part of one; null if it could not be read",
        ),
        _column("sha256", pa.string(), "SHA-256 of the file's content, 64 hexadecimal digits"),
        _column("width", pa.int64(), "pixels, before orientation; null if the header could not be read"),
        _column("height", pa.int64(), "pixels, before orientation"),
        _column("mode", pa.string(), "Pillow's mode of the file, e.g. RGB, L, RGBA, CMYK"),
        _column("flags", pa.string(), "steps of decoding: orientation, alpha, 16bit, icc (noted only), …"),
        _column("sampled", pa.bool_(), "whether the image belongs to the metric sample"),
        _column("status", pa.string(), "ok, or why there are no results"),
        _column("error", pa.string(), "the reason in words; null for ok"),
        Column(
            name="perceptual_hash",
            type=pa.binary(32),
            meaning="difference hash of the resized image, by which near-duplicates are found; null for an"
            " image without detail, one that could not be used, and in chunks of an earlier version",
            later=True,
        ),
        _later("offset", pa.int64(), "first byte in the archive at `path`; null unless it is in one"),
        _later("length", pa.int64(), "bytes in the archive; null likewise"),
        _later("column", pa.string(), "column of the table at `path`; null unless it is in one"),
        _later("source_id", pa.string(), "the source's own name for the image; null if it gives none"),
        _later("caption", pa.string(), "the source's caption; null if it gives none"),
        _later("label", pa.string(), "the source's label; null if it gives none"),
    ),
)

EMBEDDINGS = Table(
    name="embeddings",
    summary='one row per view, and one with transform "original" for the resized image itself',
    columns=(
        _ROW,
        _IMAGE_ID,
        _TRANSFORM,
        _SEVERITY,
        _STRENGTH,
        _DRAW,
        _column(
            "status", pa.string(), "ok, transform_failed, non_finite or no_embedding (ingested without one)"
        ),
        _column("error", pa.string(), "the reason in words; null for ok"),
        _column("parameters", pa.string(), "JSON of the values that were drawn"),
        _column("pixels_digest", pa.string(), "SHA-256 of the view's shape and bytes; null if it failed"),
        _column(
            "embedding",
            EMBEDDING,
            "raw, not normalised; null unless status is ok, and with `--no-embeddings`",
        ),
    ),
)

SHIFTS = Table(
    name="shifts",
    summary="one value: one metric of one view against its original",
    columns=(
        _ROW,
        _IMAGE_ID,
        _TRANSFORM,
        _SEVERITY,
        _STRENGTH,
        _DRAW,
        _column("metric", pa.string(), "name of the metric"),
        _column("value", pa.float64(), "in the metric's unit; NaN if it is undefined"),
    ),
)

ATTENTION = Table(
    name="attention",
    summary="the encoder's map of one view or original in the metric sample",
    columns=(
        _ROW,
        _IMAGE_ID,
        _TRANSFORM,
        _DRAW,
        _column("rows", pa.int32(), "rows of the patch grid"),
        _column("columns", pa.int32(), "columns of the patch grid"),
        _column(
            "field",
            pa.list_(pa.float32(), 4),
            "top, left, height, width of what the encoder saw, in pixels of the resized image",
        ),
        _column("map", pa.list_(pa.float32()), "mean over heads, row by row, not normalised"),
    ),
)

TABLES: Mapping[str, Table] = {table.name: table for table in (IMAGES, EMBEDDINGS, SHIFTS, ATTENTION)}
"""The tables of a run folder by name."""
