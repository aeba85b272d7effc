"""What ``embshift explain`` keeps below a run folder: a record and chunks of Parquet tables.

A chunk belongs to a part of the study's images. Its table ``shares`` is written last and commits it, as
``images`` does for a chunk of the run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from embshift.core.errors import RunError
from embshift.runs.arrow import as_array, read_columns
from embshift.runs.files import write_aside
from embshift.runs.places import file_in, folder_in, list_in, remove_in
from embshift.runs.record import read_record_file, write_record_file
from embshift.runs.schema import Column, Table
from embshift.runs.seal import write_sealed

__all__ = [
    "EXPLAINED",
    "FOLDER",
    "TEXTS",
    "ExplainedSink",
    "ExplainedTables",
    "find_explained",
    "open_explained",
    "read_explained_record",
    "read_lists",
    "write_explained_record",
    "write_texts",
]

FOLDER, RECORD, TEXTS = "explain", "explain.json", "texts.parquet"

_COMMIT = "shares"
_LIST = pa.list_(pa.float32())

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
        _column("share", _LIST, "share of each component, in the record's order; NaN without a shift"),
    ),
)

PATCHES = Table(
    name="patches",
    summary="one row per view, kind of patch and direction",
    columns=(
        *_VIEW,
        _column("kind", pa.string(), "direct, class or full"),
        _column("direction", pa.string(), "clean_into_view or view_into_clean"),
        _column("recovered", _LIST, "part of the shift along itself that each patch undoes or makes"),
        _column("closeness", _LIST, "1 minus the squared distance that is left, over the squared shift"),
    ),
)

MAPS = Table(
    name="maps",
    summary="one row per view: where in the image the heads' part of the shift comes from",
    columns=(
        *_VIEW,
        _column("rows", pa.int32(), "rows of the grid of patches"),
        _column("columns", pa.int32(), "columns of the grid"),
        _column("field", _LIST, "top, left, height and width of what the encoder sees, in pixels"),
        _column("view", _LIST, "part of each patch of the view, in units of share"),
        _column("clean", _LIST, "part of each patch of the original, at its place there"),
        _column("carried", _LIST, "the same, carried to its place in the view"),
        _column("left_picture", pa.float64(), "what of the original's part is outside the view"),
        _column("not_placed", pa.float64(), "share of what has no place: inner layers, class token, stem"),
    ),
)

LAYERS = Table(
    name="layers",
    summary="one row per view",
    columns=(
        *_VIEW,
        _column("cosine", _LIST, "cosine of the token that is read, after each layer"),
        _column("patch_cosine", _LIST, "mean cosine of the patches, aligned by the coordinate map"),
    ),
)

HEADS = Table(
    name="heads",
    summary="one row per view; lists hold all heads of the first layer, then of the second, and so on",
    columns=(
        *_VIEW,
        _column("divergence", _LIST, "Jensen–Shannon divergence of the attention over patches, in bits"),
        _column("entropy_change", _LIST, "entropy of the view's attention minus the original's, in bits"),
        _column("overlap", _LIST, "intersection over union of the patches that hold half of the attention"),
    ),
)

MEANS = Table(
    name="means",
    summary="one row per transform and component: a sum over the chunk's views",
    columns=(
        _column("transform", pa.string(), "name in the plan"),
        _column("component", pa.int32(), "position among the record's components"),
        _column("views", pa.int64(), "number of views in the sum"),
        _column("total", _LIST, "sum of the component's part of z′ − z"),
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

_TEXT_SCHEMA = pa.schema(
    [("kind", pa.string()), ("text", pa.string()), ("key", pa.string()), ("vector", _LIST)]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedSink:
    """Writes chunks of an explanation.

    Attributes:
        run: The run folder.
        fingerprint: Digest of everything that the explanation depends on; stored in every footer.
    """

    run: Path
    fingerprint: str

    def has(self, chunk: int) -> bool:
        """Return whether the chunk was committed and all of its files are still there."""
        return all(_path(self.run, name, chunk).is_file() for name in EXPLAINED)

    def write(self, chunk: int, tables: Mapping[str, pa.Table]) -> None:
        """Commit one chunk: write all tables, and the committing one last."""
        for name in sorted(EXPLAINED, key=lambda name: name == _COMMIT):
            table = tables[name].replace_schema_metadata({"fingerprint": self.fingerprint})
            write_aside(_path(self.run, name, chunk), partial(_write, table=table))

    def discard(self) -> None:
        """Remove all chunks, and what an interruption left behind."""
        for name in EXPLAINED:
            for pattern in ("chunk-*.parquet", ".*.tmp"):
                for path in list_in(self.run, FOLDER, name, pattern=pattern):
                    remove_in(self.run, FOLDER, name, path.name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExplainedTables:
    """The committed tables of an explanation.

    Attributes:
        run: The run folder.
        record: The content of ``explain.json``.
    """

    run: Path
    record: Mapping[str, Any]

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table of all committed chunks.

        Args:
            table: A name in `EXPLAINED`.
            columns: Names of columns; all of them if None.

        Raises:
            RunError: If a file is missing or damaged, or belongs to another explanation.
        """
        parts = list(self.chunks(table, columns))
        schema = EXPLAINED[table].arrow()
        empty = schema.empty_table().select(list(columns or schema.names))
        return pa.concat_tables(parts) if parts else empty

    def chunks(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read a table chunk by chunk."""
        names = list(columns or EXPLAINED[table].arrow().names)
        for chunk in range(int(self.record["chunks"])):
            path = _path(self.run, table, chunk)
            yield read_columns(path, names, fingerprint=self.record["digest"]).replace_schema_metadata(None)

    def texts(self, kind: str) -> tuple[list[str], list[str], Float32[np.ndarray, "texts dim"]]:
        """Return texts of one kind, their keys, and their vectors; nothing if there are none.

        Args:
            kind: "word", "label" or "caption".
        """
        path = file_in(self.run, FOLDER, TEXTS)
        if not path.exists():
            return [], [], np.empty((0, 0), np.float32)
        table = read_columns(path, _TEXT_SCHEMA.names)
        own = table.filter(pa.array([one == kind for one in table["kind"].to_pylist()], pa.bool_()))
        return own["text"].to_pylist(), own["key"].to_pylist(), read_lists(own["vector"])


def _write(aside: Path, *, table: pa.Table) -> None:
    write_sealed(aside, table, compression="zstd")


def write_texts(run: Path, table: pa.Table) -> None:
    """Write the vectors of texts: columns kind, text, key and vector."""
    write_aside(file_in(run, FOLDER, TEXTS), partial(_write, table=table.cast(_TEXT_SCHEMA)))


def read_lists(column: pa.ChunkedArray) -> Float32[np.ndarray, "rows values"]:
    """Return a column of lists of one length as a matrix.

    Raises:
        RunError: If lengths differ.
    """
    whole = column.combine_chunks()
    if not len(whole):
        return np.empty((0, 0), np.float32)
    flat = as_array(whole.flatten())
    if len(flat) % len(whole) or len(set(whole.value_lengths().to_pylist())) != 1:
        raise RunError("a list of the explanation has another length than its neighbours: it was changed")
    return flat.reshape(len(whole), -1)


def find_explained(run: Path) -> bool:
    """Return whether a run folder holds an explanation."""
    return file_in(run, FOLDER, RECORD).exists()


def read_explained_record(run: Path) -> dict[str, Any]:
    """Return the content of ``explain.json``.

    Raises:
        RunError: If it is missing or cannot be read.
    """
    try:
        return read_record_file(folder_in(run, FOLDER), name=RECORD)
    except FileNotFoundError:
        raise RunError(f"{run} holds no explanation; make one with: embshift explain {run}") from None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{run / FOLDER / RECORD} cannot be read: {error}; remove the folder and explain again"
        ) from error


def write_explained_record(run: Path, content: Mapping[str, Any]) -> None:
    """Write ``explain.json``, sealed, completely or not at all."""
    folder = folder_in(run, FOLDER)
    folder.mkdir(exist_ok=True)
    write_record_file(folder, content, name=RECORD)


def open_explained(run: Path, *, fingerprint: str) -> ExplainedTables:
    """Open the explanation of a run for reading.

    Args:
        run: The run folder.
        fingerprint: The run's.

    Raises:
        RunError: If there is none, if it is not finished, or if it is that of another run.
    """
    record = read_explained_record(run)
    if not set(record) >= _REQUIRED:
        raise RunError(f"{run / FOLDER / RECORD} does not describe an explanation; explain the run again")
    if record["fingerprint"] != fingerprint:
        raise RunError(f"{run / FOLDER} explains another run; remove that folder and explain again")
    if record["state"] != "finished":
        raise RunError(f"the explanation of {run} is not finished; go on with: embshift explain {run}")
    return ExplainedTables(run=run, record=record)


_REQUIRED = {"fingerprint", "digest", "state", "chunks", "components", "plan", "readout"}


def _path(run: Path, table: str, chunk: int) -> Path:
    return file_in(run, FOLDER, table, f"chunk-{chunk:06d}.parquet")
