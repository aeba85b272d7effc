"""Reading the Parquet tables of a run folder: committed chunks only, one by one or all at once."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int64

from embshift.core.errors import MissingExtraError, NoEmbeddingsError, RunError, UnknownNameError
from embshift.core.paths import is_text
from embshift.core.types import MetricSpec
from embshift.runs.addresses import run_path
from embshift.runs.arrow import as_array, read_columns
from embshift.runs.committed import chunk_names, read_table
from embshift.runs.fields import find_wrong_fields, read_metric
from embshift.runs.image_ids import Ids, find_repeated, read_ids
from embshift.runs.places import file_in
from embshift.runs.record import RECORD, read_record_file
from embshift.runs.schema import SCHEMA_VERSION, TABLES
from embshift.runs.values import ImageValues, image_values

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Embeddings", "RunTables", "open_tables"]


_VALUE = ["row", "transform", "metric", "value"]


def to_matrix(column: pa.ChunkedArray) -> Float32[np.ndarray, "views dim"]:
    """Return a column of embeddings as a matrix, one row per view."""
    flat = column.combine_chunks()
    return as_array(flat.flatten()).reshape(len(flat), flat.type.list_size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embeddings:
    """Embeddings of one transform.

    Attributes:
        rows: Row of each view in the listing.
        draws: Draw of each view.
        values: Raw embeddings; all of them finite.
    """

    rows: Int64[np.ndarray, " views"]
    draws: Int64[np.ndarray, " views"]
    values: Float32[np.ndarray, "views dim"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunTables:
    """The tables of a run folder.

    Attributes:
        folder: The folder.
        info: The content of ``run.json``.
    """

    folder: Path
    info: dict[str, Any]

    @property
    def transforms(self) -> tuple[str, ...]:
        """Names of the transforms, in the order of the plan."""
        return tuple(transform["name"] for transform in self.info["plan"]["transforms"])

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """The specs of the run's metrics, in order."""
        return tuple(read_metric(spec) for spec in self.info["metrics"])

    @property
    def keeps_embeddings(self) -> bool:
        """Whether embeddings were kept: not with ``--no-embeddings``."""
        return bool(self.info["plan"].get("keep_embeddings", True))

    def check_embeddings(self) -> None:
        """Raise `NoEmbeddingsError` unless embeddings were kept."""
        if not self.keeps_embeddings:
            raise NoEmbeddingsError(
                f"{self.folder} keeps no embeddings (--no-embeddings); measure the images again with them"
            )

    def images(self) -> pa.Table:
        """Return one row per input, with its status."""
        # Chunks of an earlier version lack the later columns, which are then null.
        return self._read("images", schema=TABLES["images"].arrow()).replace_schema_metadata(None)

    def shifts(self) -> pa.Table:
        """Return the shift table: one row for each image, transform, draw and metric."""
        return self._read("shifts").replace_schema_metadata(None)

    def attention(
        self, *, rows: Sequence[int] | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the encoder's maps over the metric sample.

        Args:
            rows: Only these rows of the listing; all where None.
            columns: Only these columns; all where None.
        """
        wanted = None if rows is None else pc.field("row").isin(list(rows))
        found = self._read("attention", columns=columns, filters=wanted)
        return found.replace_schema_metadata(None)

    def embeddings(self, transform: str = "original") -> Embeddings:
        """Return the raw embeddings of one transform, of every image and draw that has one.

        Args:
            transform: A transform of the run, or "original".

        Raises:
            NoEmbeddingsError: If the run keeps no embeddings.
            UnknownNameError: If the run has no such transform.
        """
        self.check_embeddings()
        known = ("original", *self.transforms)
        if transform not in known:
            raise UnknownNameError("transform", transform, known)
        wanted = (pc.field("transform") == transform) & (pc.field("status") == "ok")
        columns = ["row", "draw", "embedding"]
        table = self._read("embeddings", columns=columns, filters=wanted)
        return Embeddings(
            rows=as_array(table["row"]),
            draws=as_array(table["draw"]).astype(np.int64),
            values=to_matrix(table["embedding"]),
        )

    def _read(self, table: str, **options: Any) -> pa.Table:
        return read_table(self.folder, table, info=self.info, **options)

    def _read_chunk(self, table: str, name: str, columns: Sequence[str]) -> pa.Table:
        path, later = file_in(self.folder, table, name), TABLES[table].later
        found = read_columns(path, columns, fingerprint=self.info.get("fingerprint"), later=later)
        for lacking in [column for column in columns if column not in found.column_names]:
            kind = TABLES[table].arrow().field(lacking).type
            found = found.append_column(lacking, pa.nulls(len(found), kind))
        return found.select(list(columns))

    def chunks(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read some columns of one table, chunk by chunk; null where an earlier version wrote none."""
        if "embedding" in columns:
            self.check_embeddings()
        for name in self.chunk_names():
            yield self._read_chunk(table, name, columns)

    def chunk_names(self) -> list[str]:
        """List the file names of committed chunks, in order of rows."""
        return chunk_names(self.folder, self.info)

    def values_of(self, name: str, *, skip: frozenset[int] | Int64[np.ndarray, " rows"]) -> ImageValues:
        """Return the values of one committed chunk, as `values` returns them for all.

        Args:
            name: One of `chunk_names`.
            skip: Rows to leave out, as `repeated` or `repeated_rows` gives them.
        """
        table = self._read_chunk("shifts", name, _VALUE)
        metrics = [spec.name for spec in self.metrics]
        return image_values([table], transforms=self.transforms, metrics=metrics, skip=skip)

    def values(self) -> ImageValues:
        """Return one value per image, transform and metric: draws averaged, equal images once."""
        return image_values(
            self.chunks("shifts", _VALUE),
            transforms=self.transforms,
            metrics=[spec.name for spec in self.metrics],
            skip=self.repeated_rows(),
        )

    def image_ids(self) -> dict[int, str]:
        """Return the image id by row of the listing, for every usable image."""
        table = self._read("images", columns=["row", "image_id", "status"])
        kept = table.filter(pc.field("status") == "ok")
        return dict(zip(kept["row"].to_pylist(), kept["image_id"].to_pylist(), strict=True))

    def ids_of(self, name: str) -> tuple[Int64[np.ndarray, " images"], Ids]:
        """Return row and id of the usable images of one committed chunk.

        Args:
            name: One of `chunk_names`.
        """
        return read_ids(self._read_chunk("images", name, ["row", "image_id", "status"]))

    def repeated(self) -> frozenset[int]:
        """Return the rows whose image equals that of an earlier row: they are measured, but count once."""
        return frozenset(self.repeated_rows().tolist())

    def repeated_rows(self) -> Int64[np.ndarray, " rows"]:
        """Return the rows of `repeated` as an array, ascending: a set of many takes ten times the memory."""
        return find_repeated(self.ids_of(name) for name in self.chunk_names())

    def count_views(self) -> tuple[int, int]:
        """Return the number of views that were tried, and how many lack an embedding, or their original's."""
        tried = compared = 0
        for chunk in self.chunks("embeddings", ["row", "transform", "status"]):
            is_original, is_whole = pc.field("transform") == "original", pc.field("status") == "ok"
            whole = chunk.filter(is_original & is_whole)["row"].combine_chunks()
            tried += len(chunk.filter(~is_original))
            compared += len(chunk.filter(~is_original & is_whole & pc.field("row").isin(whole)))
        return tried, tried - compared

    def count_images(self) -> int:
        """Return the number of committed images, usable or not."""
        return sum(len(chunk) for chunk in self.chunks("images", ["row"]))

    def count_undefined(self) -> int:
        """Return the number of values that were computed and are undefined."""
        found = self.chunks("shifts", ["value"])
        return sum(int(np.isnan(as_array(chunk["value"])).sum()) for chunk in found)

    def to_pandas(self) -> "pd.DataFrame":
        """Return the shift table with the images' names as a pandas DataFrame.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        try:
            importlib.import_module("pandas")
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        images = self.images().select(["row", "source", "member", "path"]).to_pandas()
        return self.shifts().to_pandas().merge(images, on="row", how="left")

    @property
    def finished(self) -> bool:
        """Whether every image of the listing is committed."""
        return self.info["state"] == "finished"

    def files(self, table: str) -> list[Path]:
        """List the committed files of one table, in order of rows."""
        return [file_in(self.folder, table, name) for name in self.chunk_names()]

    def read_views(
        self, transform: str
    ) -> tuple[Int64[np.ndarray, " views"], Int64[np.ndarray, " views"], Float32[np.ndarray, "views dim"]]:
        found = self.embeddings(transform)
        return found.rows, found.draws, found.values

    def views_by_image(self) -> Iterator[dict[str, Float32[np.ndarray, "draws dim"]]]:
        """Return the views of each counted image, embeddings by transform; failed draws are NaN."""
        position = {name: at for at, name in enumerate(self.transforms)}
        draws, skip = self.info["plan"]["draws"], list(self.repeated())
        for chunk in self.chunks("embeddings", ["row", "transform", "draw", "status", "embedding"]):
            kept = chunk.filter((pc.field("status") == "ok") & (pc.field("transform") != "original"))
            kept = kept.filter(~pc.field("row").isin(skip)) if skip else kept
            rows, image = np.unique(as_array(kept["row"]), return_inverse=True)
            vectors = to_matrix(kept["embedding"])
            block = np.full((len(rows), len(position), draws, vectors.shape[1]), np.nan, np.float32)
            transform = np.array([position[name] for name in kept["transform"].to_pylist()], np.int64)
            block[image, transform, as_array(kept["draw"])] = vectors
            for views in block:
                yield dict(zip(self.transforms, views, strict=True))


def open_tables(folder: str | Path) -> RunTables:
    """Open a run folder for reading its tables.

    Args:
        folder: The output folder of ``embshift run``, or its address in a store.

    Raises:
        RunError: If the folder is not a run folder, or was written by a later version.
    """
    path = run_path(folder)
    if not is_text(path):
        raise RunError(f"{str(path)!r} is not text in UTF-8, and Arrow opens no table there; rename it")
    info = _read_info(path)
    if not {"plan", "encoder", "metrics", "schema"} <= set(info):
        raise RunError(f"{path / RECORD} does not describe a run; give the output folder of 'embshift run'")
    wrong = next(find_wrong_fields(info), None)
    if wrong is not None:
        raise RunError(
            f"{path / RECORD} is damaged: {wrong}, which no run writes; run 'embshift verify {path}', or"
            " measure again"
        )
    if info["schema"] > SCHEMA_VERSION:
        raise RunError(f"{path} has schema {info['schema']}, newer than {SCHEMA_VERSION}; upgrade embshift")
    return RunTables(folder=path, info=info)


def _read_info(folder: Path) -> dict[str, Any]:
    try:
        return read_record_file(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"'{folder}' is not a run folder: run.json not found; give the output folder of 'embshift run'"
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / RECORD} cannot be read: {error}") from error
