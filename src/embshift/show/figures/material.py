"""Material of figures: a run whose parts are read and computed once, when they are first needed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from PIL import Image

from embshift.analysis.embeddings.clusters import Clusters
from embshift.analysis.explanation import Explanation, open_explanation
from embshift.analysis.of_run import cluster_run
from embshift.analysis.parts.part import Part
from embshift.analysis.parts.reading import MOST_EXACT, read_parts
from embshift.analysis.parts.statistics import compute_part_statistics
from embshift.analysis.parts.summary import summarise_part
from embshift.analysis.shifts.statistics import Statistics, compute_statistics
from embshift.analysis.shifts.table import Summary, summarise
from embshift.analysis.stored_texts import StoredTexts, open_stored_texts
from embshift.core.errors import FigureError, PlanError, RunError
from embshift.core.seeding import make_generator
from embshift.core.types import ORIGINAL, Capture, Field, MetricSpec, Pixels
from embshift.metrics.upsampling import upsample_map
from embshift.runs.places import list_in
from embshift.runs.tables import RunTables
from embshift.runs.values import ImageValues
from embshift.runs.view_files import find_view

__all__ = ["EncoderMap", "KeptImage", "Material", "read_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptImage:
    """An image whose views were kept.

    Attributes:
        row: Row of the image in the listing.
        name: Name of its file, without folders.
        views: Path of the kept file, for the original and for the first draw of each transform.
    """

    row: int
    name: str
    views: Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncoderMap:
    """The encoder's map of one view, upsampled to the pixels that the encoder saw.

    Attributes:
        field: The rectangle of the resized image that the map covers, in pixels.
        shares: Values from 0 to 1 over that rectangle; NaN everywhere for a constant map.
    """

    field: Field
    shares: Float64[np.ndarray, "height width"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """A run, and what was computed from it, kept while figures are rendered.

    Attributes:
        run: The run.
    """

    run: RunTables

    @cached_property
    def part(self) -> Part | None:
        """Sums over all images, where these are too many to hold all values; else None."""
        if self.run.count_images() <= MOST_EXACT:
            return None
        return read_parts(self.run, wanted=[image.row for image in self._kept_images])

    @cached_property
    def values(self) -> ImageValues:
        """One value for each image, transform and metric; of many images, those of a sample.

        Raises:
            FigureError: If the run holds no values.
        """
        found = self.run.values() if self.part is None else self.part.kept.sample()
        if np.isnan(found.values).all():
            raise FigureError(f"{self.run.folder} holds no values; a figure needs at least one measured view")
        return found

    @cached_property
    def summary(self) -> Summary:
        """Means, standard deviations and ranks."""
        if self.part is not None:
            return summarise_part(self.part, map_name=self.map_name)
        return summarise(self.values, metrics=self.run.metrics, map_name=self.map_name)

    @cached_property
    def statistics(self) -> Statistics:
        """Means with their intervals."""
        if self.part is not None:
            return compute_part_statistics(self.part)
        return compute_statistics(self.values, metrics=self.run.metrics)

    def read_image(self, row: int, metric: str) -> Float64[np.ndarray, " transforms"]:
        """Return the values of an image with kept views by one metric, by its row; NaN where undefined."""
        held = self.values if self.part is None else self.part.kept.values
        return held.values[int(np.flatnonzero(held.rows == row)[0]), :, held.metrics.index(metric)]

    def name_images(self) -> str:
        """Name the images that distributions are over: all of them, or a sample of many."""
        return "images" if self.part is None else f"a sample of {len(self.values.rows):,} images"

    @cached_property
    def clusters(self) -> Clusters:
        """Clusters of the transforms: equations (1) to (3) with the defaults of `Run.clusters`.

        Raises:
            FigureError: If the transforms cannot be clustered.
        """
        try:
            return cluster_run(self.run)
        except PlanError as error:
            raise FigureError(str(error)) from error

    @cached_property
    def explanation(self) -> Explanation:
        """Where in the network the shifts of the run arise.

        Raises:
            FigureError: If the run is not explained, or not to its end.
        """
        try:
            return open_explanation(self.run)
        except RunError as error:
            raise FigureError(str(error)) from error

    @cached_property
    def texts(self) -> StoredTexts:
        """The words, labels and captions that are stored with the run, explained or not.

        Raises:
            RunError: If no texts are stored.
        """
        return open_stored_texts(self.run)

    @property
    def map_name(self) -> str:
        """What the encoder's maps are, e.g. "attention map"."""
        return str(self.run.info["encoder"]["map_name"])

    @property
    def encoder(self) -> str:
        """Name of the encoder, without folders."""
        return Path(str(self.run.info["encoder"]["name"])).name

    @property
    def performance(self) -> tuple[MetricSpec, ...]:
        """The performance metrics of the run: those in the overall score.

        Raises:
            FigureError: If the run holds none.
        """
        found = tuple(spec for spec in self.run.metrics if spec.performance)
        if not found:
            raise FigureError(
                f"{self.run.folder} holds no performance metric, only"
                f" {', '.join(spec.name for spec in self.run.metrics) or 'embeddings'}; measure one,"
                " e.g. with --metric cosine"
            )
        return found

    def select_metric(self, metric: str) -> Float64[np.ndarray, "images transforms"]:
        """Return the values of one metric; NaN where undefined.

        Raises:
            FigureError: If the run does not hold the metric.
        """
        if metric not in self.values.metrics:
            raise FigureError(
                f"{self.run.folder} does not hold the metric {metric}, only {', '.join(self.values.metrics)};"
                f" measure it with --metric {metric}"
            )
        return self.values.values[:, :, self.values.metrics.index(metric)]

    def compute_means(self) -> Float64[np.ndarray, "transforms metrics"]:
        """Return the mean of each transform on each performance metric; NaN where undefined."""
        names = [spec.name for spec in self.performance]
        return np.array([[row.cells[name].mean for name in names] for row in self.summary.rows])

    def format_sample(self, metrics: Sequence[str]) -> str:
        """Format the number of images with values of the metrics, and the encoder, for the first note."""
        counts = [row.cells[name].n for row in self.summary.rows for name in metrics]
        few, many = min(counts), max(counts)
        images = f"{many:,}" if few == many else f"{few:,} to {many:,}"
        return f"{images} image{'' if images == '1' else 's'} · encoder {self.encoder}"

    def format_map_note(self) -> str:
        """Format what "attention" stands for where the encoder's map is no attention map; else empty."""
        takes = any(Capture.ATTENTION in spec.needs for spec in self.performance)
        if not takes or self.map_name == "attention map":
            return ""
        return f"“attention” compares this encoder's {self.map_name}"

    def choose_images(self, most: int) -> tuple[KeptImage, ...]:
        """Return images with kept views: those with the most views first, otherwise in a seeded order.

        Args:
            most: Number of images at most.

        Raises:
            FigureError: If the folder ``views`` holds no image with its views.
        """
        found = self._kept_images
        if not found:
            raise FigureError(
                f"{self.run.folder / 'views'} holds no image with its views; a run writes them when it"
                " finishes: finish the run, or measure into a new folder"
            )
        order = make_generator(self.run.info["plan"]["seed"], "figures").permutation(len(found)).tolist()
        # Sorting is stable: images with equally many views stay in the seeded order.
        return tuple(sorted((found[at] for at in order), key=_count_views, reverse=True)[:most])

    @cached_property
    def _kept_images(self) -> tuple[KeptImage, ...]:
        folder = self.run.folder
        names = (ORIGINAL, *self.run.transforms)
        found = list[KeptImage]()
        skip, kept = self.run.repeated(), {path.name for path in list_in(folder, "views", pattern="*")}
        for line in self._read_usable():
            if line["row"] in skip or line["image_id"] not in kept:
                continue
            paths = {
                name: find_view(folder, image_id=line["image_id"], transform=name, draw=0) for name in names
            }
            views = {name: path for name, path in paths.items() if path.exists()}
            if ORIGINAL in views and len(views) > 1:
                found.append(KeptImage(row=line["row"], name=Path(line["member"]).name, views=views))
        return tuple(found)

    def _read_usable(self) -> Iterator[dict[str, Any]]:
        """Yield row, id and name of the usable images, a chunk at a time."""
        for chunk in self.run.chunks("images", ["row", "image_id", "member", "status"]):
            yield from (line for line in chunk.to_pylist() if line["status"] == "ok")

    def read_maps(self, rows: Sequence[int]) -> dict[tuple[int, str], EncoderMap]:
        """Return the encoder's maps of the first draws of some images, by row and transform."""
        table = self.run.attention(rows=rows)
        found = dict[tuple[int, str], EncoderMap]()
        for line in table.filter(table["draw"].to_numpy() == 0).to_pylist():
            field = Field(*line["field"])
            shares = upsample_map(
                np.array(line["map"], np.float64),
                grid=(line["rows"], line["columns"]),
                height=max(round(field.height), 1),
                width=max(round(field.width), 1),
            )
            found[line["row"], line["transform"]] = EncoderMap(field=field, shares=shares)
        return found

    def find_rows_with_maps(self) -> frozenset[int]:
        """Return the rows of the images that have maps."""
        return frozenset(self.run.attention(columns=["row"])["row"].to_pylist())


def _count_views(image: KeptImage) -> int:
    return len(image.views)


def read_view(path: Path) -> Pixels:
    """Read the pixels of a kept view.

    Raises:
        FigureError: If the file cannot be read.
    """
    try:
        # Kept views are PNG; other formats did not come from embshift.
        with Image.open(path, formats=("PNG",)) as opened:
            return np.asarray(opened.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FigureError(
            f"{path} cannot be read as an image: {error}; run 'embshift verify {path.parents[2]} --repair',"
            " then the command that made the run"
        ) from error
