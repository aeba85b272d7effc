"""What figures are drawn from: a run folder, each part of it read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from PIL import Image

from embshift.analysis.embeddings.clusters import Clusters
from embshift.analysis.of_run import cluster_run
from embshift.analysis.shifts.statistics import Statistics, compute_statistics
from embshift.analysis.shifts.table import Summary, summarise
from embshift.core.errors import FigureError, PlanError
from embshift.core.seeding import make_generator
from embshift.core.types import ORIGINAL, Capture, Field, MetricSpec, Pixels
from embshift.metrics.maps import drawn_map
from embshift.runs.tables import RunTables
from embshift.runs.values import ImageValues
from embshift.runs.view_files import view_path

__all__ = ["EncoderMap", "Material", "Picture", "read_picture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture whose views were kept.

    Attributes:
        row: Its row in the listing.
        name: Its file, without folders.
        views: The kept picture of the original and of each transform's first draw.
    """

    row: int
    name: str
    views: Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncoderMap:
    """The encoder's map of one view, drawn over what the encoder saw.

    Attributes:
        field: The rectangle of the resized picture that it covers, in pixels.
        shares: From 0 to 1 over that rectangle; NaN everywhere for a constant map.
    """

    field: Field
    shares: Float64[np.ndarray, "height width"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """A run, with what was computed from it kept while figures are drawn.

    Attributes:
        run: The run.
    """

    run: RunTables

    @cached_property
    def values(self) -> ImageValues:
        """One value an image, transform and metric.

        Raises:
            FigureError: If the run holds none.
        """
        found = self.run.values()
        if np.isnan(found.values).all():
            raise FigureError(f"{self.run.folder} holds no values; a figure needs at least one measured view")
        return found

    @cached_property
    def summary(self) -> Summary:
        """Means, deviations, ranks."""
        return summarise(self.values, metrics=self.run.metrics, map_name=self.map_name)

    @cached_property
    def statistics(self) -> Statistics:
        """Intervals."""
        return compute_statistics(self.values, metrics=self.run.metrics)

    @cached_property
    def clusters(self) -> Clusters:
        """Equations (1) to (3) with the defaults of `Run.clusters`.

        Raises:
            FigureError: If the transforms cannot be clustered.
        """
        try:
            return cluster_run(self.run)
        except PlanError as error:
            raise FigureError(str(error)) from error

    @property
    def map_name(self) -> str:
        """What the encoder's maps are."""
        return str(self.run.info["encoder"]["map_name"])

    @property
    def encoder(self) -> str:
        """The encoder's name, without folders."""
        return Path(str(self.run.info["encoder"]["name"])).name

    @property
    def performance(self) -> tuple[MetricSpec, ...]:
        """The metrics of the overall score.

        Raises:
            FigureError: If the run has none.
        """
        found = tuple(spec for spec in self.run.metrics if spec.performance)
        if not found:
            raise FigureError(
                f"{self.run.folder} holds no performance metric, only"
                f" {', '.join(spec.name for spec in self.run.metrics) or 'embeddings'}; measure one of them,"
                " e.g. --metric cosine"
            )
        return found

    def column(self, metric: str) -> Float64[np.ndarray, "images transforms"]:
        """Values of one metric.

        Raises:
            FigureError: If the run does not hold it.
        """
        if metric not in self.values.metrics:
            raise FigureError(
                f"{self.run.folder} holds no {metric}, only {', '.join(self.values.metrics)};"
                f" measure it with --metric {metric}"
            )
        return self.values.values[:, :, self.values.metrics.index(metric)]

    def means(self) -> Float64[np.ndarray, "transforms metrics"]:
        """Means of the performance metrics."""
        names = [spec.name for spec in self.performance]
        return np.array([[row.cells[name].mean for name in names] for row in self.summary.rows])

    def counted(self, metrics: Sequence[str]) -> str:
        """How many images stand behind some metrics, by which encoder: the first note of most figures."""
        counts = [row.cells[name].n for row in self.summary.rows for name in metrics]
        few, many = min(counts), max(counts)
        images = f"{many:,}" if few == many else f"{few:,} to {many:,}"
        return f"{images} image{'' if images == '1' else 's'} · encoder {self.encoder}"

    def mapped(self) -> str:
        """What "attention" stands for in the figures, where it is no attention; else empty."""
        takes = any(Capture.ATTENTION in spec.needs for spec in self.performance)
        if not takes or self.map_name == "attention map":
            return ""
        return f"“attention” compares this encoder's {self.map_name}"

    def pictures(self, most: int) -> tuple[Picture, ...]:
        """Pictures with kept views: those with the most views first, in a seeded order.

        Raises:
            FigureError: If the folder ``views`` holds none.
        """
        found = self._kept
        order = make_generator(self.run.info["plan"]["seed"], "figures").permutation(len(found)).tolist()
        # Sorting is stable: among as many views the seeded order stands.
        return tuple(sorted((found[at] for at in order), key=_views_missing)[:most])

    @cached_property
    def _kept(self) -> tuple[Picture, ...]:
        folder = self.run.folder
        names = (ORIGINAL, *self.run.transforms)
        found = list[Picture]()
        skip = self.run.repeated()
        for line in self.run.images().select(["row", "image_id", "member", "status"]).to_pylist():
            if line["status"] != "ok" or line["row"] in skip:
                continue
            paths = {
                name: view_path(folder, image_id=line["image_id"], transform=name, draw=0) for name in names
            }
            views = {name: path for name, path in paths.items() if path.is_file()}
            if ORIGINAL in views and len(views) > 1:
                found.append(Picture(row=line["row"], name=Path(line["member"]).name, views=views))
        if not found:
            raise FigureError(
                f"{folder / 'views'} holds no picture with its views; they are written when a run finishes:"
                " finish it, or measure into a new folder"
            )
        return tuple(found)

    def maps(self, rows: Sequence[int]) -> dict[tuple[int, str], EncoderMap]:
        """The encoder's maps of some pictures' first draws, by row and transform."""
        table = self.run.attention(rows=rows)
        found = dict[tuple[int, str], EncoderMap]()
        for line in table.filter(table["draw"].to_numpy() == 0).to_pylist():
            field = Field(*line["field"])
            shares = drawn_map(
                np.array(line["map"], np.float64),
                grid=(line["rows"], line["columns"]),
                height=max(round(field.height), 1),
                width=max(round(field.width), 1),
            )
            found[line["row"], line["transform"]] = EncoderMap(field=field, shares=shares)
        return found

    def mapped_rows(self) -> frozenset[int]:
        """Rows of the pictures that have maps."""
        return frozenset(self.run.attention(columns=["row"])["row"].to_pylist())


def _views_missing(picture: Picture) -> int:
    return -len(picture.views)


def read_picture(path: Path) -> Pixels:
    """The pixels of a kept view.

    Raises:
        FigureError: If the file cannot be read.
    """
    try:
        with Image.open(path) as opened:
            return np.asarray(opened.convert("RGB"))
    except OSError as error:
        raise FigureError(f"{path} cannot be read as a picture: {error}; remove it or run again") from error
