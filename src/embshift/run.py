"""A run folder, opened for reading: all that showing knows of measuring. Never imports torch."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float32, Int64

from embshift.errors import MissingExtraError, RunError, UnknownNameError
from embshift.schema import SCHEMA_VERSION, TABLES
from embshift.sinks.files import read_json
from embshift.summaries.clusters import Clusters, check_distance, cluster_transforms, mean_distances
from embshift.summaries.format import summary_html
from embshift.summaries.resampling import LEVEL, RESAMPLES
from embshift.summaries.separation import Separation, separation
from embshift.summaries.statistics import OVERALL, Statistics, statistics
from embshift.summaries.table import Summary, summarise
from embshift.summaries.values import ImageValues, image_values
from embshift.types import Capture, Direction, MetricSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Embeddings", "Run", "open_run"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embeddings:
    """Embeddings of one transform.

    Attributes:
        rows: Row of each in the listing.
        draws: Draw of each.
        values: Raw embeddings; every row is finite.
    """

    rows: Int64[np.ndarray, " views"]
    draws: Int64[np.ndarray, " views"]
    values: Float32[np.ndarray, "views dim"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What a run folder holds.

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
        """How the run's metrics state themselves, in order."""
        return tuple(_metric_spec(spec) for spec in self.info["metrics"])

    def images(self) -> pa.Table:
        """One row an input, with its status."""
        return self._table("images")

    def shifts(self) -> pa.Table:
        """The shift table: one row for each image, transform, draw and metric."""
        return self._table("shifts")

    def attention(
        self, *, rows: Sequence[int] | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The encoder's maps over the metric sample.

        Args:
            rows: Only these rows of the listing.
            columns: Only these columns.
        """
        wanted = None if rows is None else pc.field("row").isin(list(rows))
        found = self._read("attention", columns=columns, filters=wanted)
        return found.replace_schema_metadata(None)

    def embeddings(self, transform: str = "original") -> Embeddings:
        """Raw embeddings of one transform, of every image and draw where there is one.

        Args:
            transform: A transform of the run, or "original".

        Raises:
            UnknownNameError: If the run has no such transform.
        """
        known = ("original", *self.transforms)
        if transform not in known:
            raise UnknownNameError("transform", transform, known)
        wanted = (pc.field("transform") == transform) & (pc.field("status") == "ok")
        columns = ["row", "draw", "embedding"]
        table = self._read("embeddings", columns=columns, filters=wanted)
        return Embeddings(
            rows=table["row"].to_numpy(),
            draws=table["draw"].to_numpy().astype(np.int64),
            values=_matrix(table["embedding"]),
        )

    def values(self) -> ImageValues:
        """One value an image, transform and metric: draws averaged, equal pictures once."""
        return image_values(
            self._chunks("shifts", ["row", "transform", "metric", "value"]),
            transforms=self.transforms,
            metrics=[spec.name for spec in self.metrics],
            skip=self.repeated(),
        )

    def summary(self) -> Summary:
        """Transforms by metrics: mean, deviation, n, overall score, rank."""
        return summarise(self.values(), metrics=self.metrics, map_name=self.info["encoder"]["map_name"])

    def statistics(
        self, *, by: str = OVERALL, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
    ) -> Statistics:
        """Intervals of every mean, and which order of the transforms is certain: bootstrap over images.

        Args:
            by: What transforms are ranked by: "overall" or a metric of the run.
            resamples: Number of resamples of the images.
            level: Coverage of each interval; that of the ranks is joint.
            seed: Seed of the resamples.
        """
        return statistics(
            self.values(), metrics=self.metrics, by=by, resamples=resamples, level=level, seed=seed
        )

    def figure(self, name: str, *, width: float = 6.9, page: int = 1, pictures: int = 4) -> "Figure":
        """A figure of the run; ``get_label()`` of it is its alt text.

        Args:
            name: A figure of ``embshift list figures``, e.g. "dendrogram".
            width: Inches; 3.3 is a column, 6.9 a page of two. The height follows.
            page: Which page, of a figure that has several, from 1.
            pictures: How many pictures to show, where pictures are shown.

        Raises:
            FigureError: If the run lacks what the figure needs, or has no such page.
            UnknownNameError: If there is no such figure.
        """
        # Figures are drawn from runs: their layer is above, and this is the way back, at the call.
        drawing = importlib.import_module("embshift.figures.drawing")
        material = importlib.import_module("embshift.figures.material").Material(run=self)
        return drawing.draw_page(material, name, page=page, width=width, pictures=pictures).figure

    def separation(self, *, seed: int = 0) -> Separation:
        """Mean distance between the originals of different pictures; equal pictures count once.

        Args:
            seed: Seed of the sample of images that the mean L2 distance is over, above 5,000 images.
        """
        found = self.embeddings()
        return separation(found.values[~np.isin(found.rows, list(self.repeated()))], seed=seed)

    def clusters(
        self, *, distance: str = "cosine", linkage: str = "average", threshold: float | None = None
    ) -> Clusters:
        """Transforms clustered by the distance between their views, averaged over images.

        Args:
            distance: A distance of `embshift.summaries.clusters.DISTANCES`.
            linkage: A method of `embshift.summaries.clusters.LINKAGES`.
            threshold: Where the tree is cut; 0.7 of its greatest height where None.
        """
        check_distance(distance)
        condensed, n = mean_distances(self._views(), transforms=self.transforms, distance=distance)
        return cluster_transforms(
            condensed,
            n=n,
            transforms=self.transforms,
            distance=distance,
            method=linkage,
            threshold=threshold,
        )

    def repeated(self) -> frozenset[int]:
        """Rows whose picture equals one of an earlier row: they are measured, and count once."""
        seen, repeated = set[str](), set[int]()
        for chunk in self._chunks("images", ["row", "image_id", "status"]):
            for row in chunk.to_pylist():
                if row["status"] == "ok" and row["image_id"] in seen:
                    repeated.add(row["row"])
                seen.add(row["image_id"])
        return frozenset(repeated)

    def count_views(self) -> tuple[int, int]:
        """Views that were tried, and those of them without an embedding."""
        tried = failed = 0
        for chunk in self._chunks("embeddings", ["transform", "status"]):
            views = chunk.filter(pc.field("transform") != "original")
            tried += len(views)
            failed += len(views.filter(pc.field("status") != "ok"))
        return tried, failed

    def count_undefined(self) -> int:
        """Values that were taken and are undefined."""
        chunks = self._chunks("shifts", ["value"])
        return sum(int(np.isnan(chunk["value"].to_numpy()).sum()) for chunk in chunks)

    def to_pandas(self) -> "pd.DataFrame":
        """The shift table beside the images' names, as a pandas DataFrame.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        try:
            importlib.import_module("pandas")
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        images = self.images().select(["row", "source", "member", "path"]).to_pandas()
        return self.shifts().to_pandas().merge(images, on="row", how="left")

    def _repr_html_(self) -> str:
        return summary_html(self.summary(), title=f"{self.info['encoder']['name']} · {self.folder.name}")

    def __repr__(self) -> str:
        counts = {"images": "?", "failed": "?"} | self.info["counts"]  # none before the run is finished
        return (
            f"Run({str(self.folder)!r}: {counts['images']} images, {counts['failed']} failed,"
            f" {len(self.transforms)} transforms, encoder {self.info['encoder']['name']})"
        )

    @property
    def finished(self) -> bool:
        """Whether every picture of the listing is committed."""
        return self.info["state"] == "finished"

    def files(self, table: str) -> list[Path]:
        """The committed files of one table, in order of rows."""
        # Only committed chunks exist: an interrupted one has no file in images/.
        committed = sorted(file.name for file in (self.folder / "images").glob("chunk-*.parquet"))
        return [self.folder / table / name for name in committed]

    def _read(self, table: str, *, columns: Sequence[str] | None = None, filters: Any = None) -> pa.Table:
        files = self.files(table)
        if not files:
            return TABLES[table].arrow(dim=1).empty_table().select(columns or TABLES[table].arrow().names)
        names = list(columns) if columns is not None else None
        return pq.read_table(files, columns=names, filters=filters)

    def _table(self, table: str) -> pa.Table:
        return self._read(table).replace_schema_metadata(None)

    def _chunks(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        for file in self.files(table):
            yield pq.read_table(file, columns=list(columns))

    def _views(self) -> Iterator[dict[str, Float32[np.ndarray, "draws dim"]]]:
        """For each picture that counts, its views' embeddings by transform; failed draws are NaN."""
        position = {name: at for at, name in enumerate(self.transforms)}
        draws, skip = self.info["plan"]["draws"], list(self.repeated())
        for chunk in self._chunks("embeddings", ["row", "transform", "draw", "status", "embedding"]):
            kept = chunk.filter((pc.field("status") == "ok") & (pc.field("transform") != "original"))
            kept = kept.filter(~pc.field("row").isin(skip)) if skip else kept
            rows, image = np.unique(kept["row"].to_numpy(), return_inverse=True)
            vectors = _matrix(kept["embedding"])
            block = np.full((len(rows), len(position), draws, vectors.shape[1]), np.nan, np.float32)
            transform = np.array([position[name] for name in kept["transform"].to_pylist()], np.int64)
            block[image, transform, kept["draw"].to_numpy()] = vectors
            for views in block:
                yield dict(zip(self.transforms, views, strict=True))


def _matrix(column: pa.ChunkedArray) -> Float32[np.ndarray, "views dim"]:
    flat = column.combine_chunks()
    return flat.flatten().to_numpy().reshape(len(flat), flat.type.list_size)


def _metric_spec(spec: dict[str, Any]) -> MetricSpec:
    low, high = spec["bounds"]
    typed: dict[str, Any] = {
        "bounds": (_infinite(low, "-inf"), _infinite(high, "inf")),
        "direction": Direction(spec["direction"]),
        "needs": Capture(spec["needs"]),
    }
    return MetricSpec(**spec | typed)


def _infinite(value: float | None, meant: str) -> float:
    return float(meant) if value is None else value


def open_run(folder: str | Path) -> Run:
    """Open a run folder for reading.

    Args:
        folder: The folder that ``embshift run`` named.

    Raises:
        RunError: If it is no run folder, or was written by a later version.
    """
    path = Path(folder)
    try:
        info = read_json(path / "run.json")
    except FileNotFoundError:
        raise RunError(
            f"{path} is no run folder: it has no run.json; give the folder of 'embshift run'"
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path / 'run.json'} cannot be read: {error}") from error
    if not {"plan", "encoder", "metrics", "schema"} <= set(info):
        raise RunError(f"{path / 'run.json'} is not the record of a run; give the folder of 'embshift run'")
    if info["schema"] > SCHEMA_VERSION:
        raise RunError(
            f"{path} has schema {info['schema']}, and {SCHEMA_VERSION} is the newest read; upgrade embshift"
        )
    return Run(folder=path, info=info)
