"""A run folder, opened for reading: all that showing knows of measuring. Never imports torch."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from embshift.analysis.embeddings.calibration import calibrate
from embshift.analysis.embeddings.clusters import Clusters, check_distance, cluster_transforms, mean_distances
from embshift.analysis.embeddings.direction import mean_shift, shift_directions
from embshift.analysis.embeddings.floors import Floor
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.embeddings.pairs import Pairs, make_pairs
from embshift.analysis.embeddings.retrieval import NEIGHBOURS, retrieve
from embshift.analysis.embeddings.structure import PERMUTATIONS, structures
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.analysis.shifts.paired_tests import PairedTests
from embshift.analysis.shifts.separation import Separation, separation
from embshift.analysis.shifts.sizes import Stability, order_stability, sizes_up_to
from embshift.analysis.shifts.statistics import OVERALL, Statistics, statistics
from embshift.analysis.shifts.table import Summary, summarise
from embshift.analysis.strength.matched import Matched, UnmatchedRow, matched, read_solved
from embshift.analysis.strength.sweep import Sweep, sweep, swept_levels
from embshift.core.errors import RunError, UnknownNameError
from embshift.runs.files import read_json
from embshift.runs.precision import MetricError, precision_errors, precision_line
from embshift.runs.schema import SCHEMA_VERSION
from embshift.runs.tables import Embeddings, RunTables
from embshift.show.text.summary import summary_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Embeddings", "Run", "open_run"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run(RunTables):
    """A run folder: its tables, and what is computed from them.

    Attributes:
        folder: The folder.
        info: The content of ``run.json``.
    """

    def summary(self) -> Summary:
        """Transforms by metrics: mean, deviation, n, overall score, rank."""
        return summarise(
            self.values(),
            metrics=self.metrics,
            map_name=self.info["encoder"]["map_name"],
            precision=precision_line(self.info),
        )

    @property
    def precision_error(self) -> dict[str, MetricError] | None:
        """How far each metric's values lie from those in float32, on the first chunk; None for float32."""
        return precision_errors(self.info)

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
        drawing = importlib.import_module("embshift.show.figures.render")
        material = importlib.import_module("embshift.show.figures.material").Material(run=self)
        return drawing.draw_page(material, name, page=page, width=width, pictures=pictures).figure

    def report(self, out: str | Path | None = None) -> Path:
        """Write one HTML file that shows the run and opens without a network; returns its path.

        Args:
            out: The file; ``report.html`` in the run's folder where None.
        """
        return importlib.import_module("embshift.show.report").write_report(self, out)

    def separation(self, *, seed: int = 0) -> Separation:
        """Mean distance between the originals of different pictures; equal pictures count once.

        Args:
            seed: Seed of the sample of images that the mean L2 distance is over, above 5,000 images.
        """
        found = self.embeddings()
        return separation(found.values[~np.isin(found.rows, list(self.repeated()))], seed=seed)

    def pairs(self, *, images: int | None = None, seed: int = 0) -> Pairs:
        """Originals and, transform by transform, their views: what the measurements below are taken from.

        Args:
            images: A seeded sample of so many pictures; all where None. Equal pictures count once.
            seed: Seed of the sample.
        """
        found = self.embeddings()
        made = make_pairs(
            rows=found.rows,
            values=found.values,
            ids=self.image_ids(),
            transforms=self.transforms,
            read=self.read_views,
        )
        return made.sample(images, seed=seed)

    def calibration(
        self,
        *,
        floors: Sequence[Floor] = (),
        images: int | None = None,
        queries: int | None = None,
        seed: int = 0,
    ) -> Measured:
        """Shifts against the distances between pictures, and against floors; see `floors`.

        Args:
            floors: What `floors` gave; of preparation floors the highest counts.
            images: A seeded sample of so many pictures; all where None.
            queries: Of these, pictures whose shifts are told beside the distances to all; where None all of
                up to 100,000, and 2,000 of more.
            seed: Seed of sample and resamples.
        """
        return calibrate(self.pairs(images=images, seed=seed), floors=floors, queries=queries, seed=seed)

    def retrieval(
        self,
        *,
        neighbours: int = NEIGHBOURS,
        images: int | None = None,
        queries: int | None = None,
        search: str = "exact",
        seed: int = 0,
    ) -> Measured:
        """How well views find their originals among all pictures.

        Args:
            neighbours: Size of the neighbourhoods that are compared.
            images: A seeded sample of so many pictures; all where None.
            queries: Of these, pictures whose views are sought among all; where None all of up to 100,000,
                and 2,000 of more; in an approximate search always all.
            search: "exact", or "approximate" through an index of faiss.
            seed: Seed of sample, index and resamples.

        Raises:
            MissingExtraError: If faiss is wanted and not installed.
        """
        pairs = self.pairs(images=images, seed=seed)
        return retrieve(pairs, neighbours=neighbours, queries=queries, search=search, seed=seed)

    def direction(self, *, images: int | None = None, seed: int = 0) -> Measured:
        """Whether a transform moves all pictures the same way, and how far that can be undone.

        Args:
            images: A seeded sample of so many pictures; all where None.
            seed: Seed of sample, folds and resamples.
        """
        return shift_directions(self.pairs(images=images, seed=seed), seed=seed)

    def structure(
        self, *, permutations: int = PERMUTATIONS, images: int | None = None, seed: int = 0
    ) -> Measured:
        """Whether the pictures keep their arrangement, beside what chance alone would give.

        Args:
            permutations: Permutations of the chance values.
            images: A seeded sample of so many pictures; all where None.
            seed: Seed of sample and permutations.
        """
        return structures(self.pairs(images=images, seed=seed), permutations=permutations, seed=seed)

    def mean_shift(self, transform: str) -> Float64[np.ndarray, " dim"]:
        """The mean of z′ − z over pictures and draws, z of length 1: what `direction` tells the removal of.

        Args:
            transform: A transform of the run.
        """
        pairs = self.pairs()
        draws, _ = pairs.views(transform)
        originals = [pairs.units[draw.at] for draw in draws] or [pairs.units[:0]]
        views = [draw.units for draw in draws] or [pairs.units[:0]]
        return mean_shift(np.concatenate(originals), np.concatenate(views))

    def floors(self, *others: "Run") -> tuple[Floor, ...]:
        """Shifts of pictures that nobody changed, from this run's own transforms and from other runs.

        Args:
            others: Runs of the same pictures by the same encoder: of the preset "preparation", or with
                another resize rule, device or batch.
        """
        return importlib.import_module("embshift.analysis.between_runs").find_floors(self, others)

    def differences(
        self,
        *,
        by: str = "cosine",
        against: "Run | None" = None,
        detect: float | None = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> PairedTests:
        """Paired permutation tests between all transforms, or of each transform between two runs.

        Args:
            by: A metric of the run.
            against: Another run of the same pictures, e.g. by another encoder.
            detect: A difference to say the number of images for.
            resamples: Number of random sign flips.
            seed: Their seed.
        """
        comparing = importlib.import_module("embshift.analysis.between_runs")
        return comparing.compare(self, against, by=by, detect=detect, resamples=resamples, seed=seed)

    def order_stability(self, *, by: str = "cosine", seed: int = 0) -> tuple[Stability, ...]:
        """Kendall's τ between the order of transforms by all images and that by 10, 30, 100, … of them.

        Args:
            by: A metric of the run.
            seed: Seed of the draws.
        """
        found = self.values()
        if by not in found.metrics:
            raise UnknownNameError("metric", by, found.metrics)
        column = found.values[:, :, found.metrics.index(by)]
        return order_stability(column, sizes=sizes_up_to(len(column)), seed=seed)

    def sweep(self, *, images: int | None = None, resamples: int = RESAMPLES, seed: int = 0) -> Sweep:
        """Shift and recall against severity or strength, transform by transform; see ``embshift sweep``.

        Args:
            images: A seeded sample of so many pictures; all where None.
            resamples: Number of resamples of the images.
            seed: Seed of sample and resamples.

        Raises:
            RunError: If no transform of the run has a severity or strength.
        """
        pairs = self.pairs(images=images, seed=seed)
        return sweep(pairs, swept_levels(self.info), resamples=resamples, seed=seed)

    def matched(self, *, resamples: int = RESAMPLES, seed: int = 0) -> Matched:
        """Which transform shifts most at equal damage, of a run of ``embshift match``.

        Args:
            resamples: Number of resamples of the images.
            seed: Their seed.

        Raises:
            RunError: If the run is none of ``embshift match``.
        """
        try:
            solved_on, solved = read_solved(read_json(self.folder / "match.json"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.folder} has no readable match.json; make a run with 'embshift match'"
            ) from error
        unmatched = self._unmatched(resamples=resamples, seed=seed)
        found = self.sweep(resamples=resamples, seed=seed)
        return matched(found, solved, solved_on=solved_on, unmatched=unmatched)

    def _unmatched(self, *, resamples: int, seed: int) -> list[UnmatchedRow]:
        """Shifts of the transforms that have no strength of their own in the plan."""
        levels = {one.name for one in swept_levels(self.info)}
        names = [name for name in self.transforms if name not in levels]
        if not names or "cosine" not in [spec.name for spec in self.metrics]:
            return []
        found = self.statistics(by="cosine", resamples=resamples, seed=seed)
        rows, at = [self.transforms.index(name) for name in names], found.metrics.index("cosine")
        mean, low, high, n = (
            getattr(found.means, part)[rows, at].tolist() for part in ("mean", "low", "high", "n")
        )
        return [
            UnmatchedRow(transform=name, shift=1 - one, low=1 - most, high=1 - least, n=count)
            for name, one, least, most, count in zip(names, mean, low, high, n, strict=True)
        ]

    def clusters(
        self, *, distance: str = "cosine", linkage: str = "average", threshold: float | None = None
    ) -> Clusters:
        """Transforms clustered by the distance between their views, averaged over images.

        Args:
            distance: A distance of `embshift.analysis.embeddings.clusters.DISTANCES`.
            linkage: A method of `embshift.analysis.embeddings.clusters.LINKAGES`.
            threshold: Where the tree is cut; 0.7 of its greatest height where None.
        """
        check_distance(distance)
        condensed, n = mean_distances(self.views_by_image(), transforms=self.transforms, distance=distance)
        return cluster_transforms(
            condensed,
            n=n,
            transforms=self.transforms,
            distance=distance,
            method=linkage,
            threshold=threshold,
        )

    def _repr_html_(self) -> str:
        return summary_html(self.summary(), title=f"{self.info['encoder']['name']} · {self.folder.name}")

    def __repr__(self) -> str:
        counts = {"images": "?", "failed": "?"} | self.info["counts"]  # none before the run is finished
        return (
            f"Run({str(self.folder)!r}: {counts['images']} images, {counts['failed']} failed,"
            f" {len(self.transforms)} transforms, encoder {self.info['encoder']['name']})"
        )


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
