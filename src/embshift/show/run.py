"""A run folder, opened for reading: all that showing knows of measuring. Never imports torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from embshift.analysis import of_run
from embshift.analysis.between_runs import compare, find_floors
from embshift.analysis.embeddings.clusters import Clusters
from embshift.analysis.embeddings.floors import Floor
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.embeddings.retrieval import NEIGHBOURS
from embshift.analysis.embeddings.structure import PERMUTATIONS
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.analysis.shifts.paired_tests import PairedTests
from embshift.analysis.shifts.separation import Separation
from embshift.analysis.shifts.sizes import Stability
from embshift.analysis.shifts.statistics import OVERALL, Statistics
from embshift.analysis.shifts.table import Summary
from embshift.analysis.strength.matched import Matched
from embshift.analysis.strength.sweep import Sweep
from embshift.runs.precision import MetricError, read_precision_errors
from embshift.runs.tables import RunTables, open_tables
from embshift.show.text.summary import summary_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Run", "open_run"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run(RunTables):
    """A run folder: its tables, and what is computed from them.

    Attributes:
        folder: The folder.
        info: The content of ``run.json``.
    """

    def summary(self) -> Summary:
        """Transforms by metrics: mean, deviation, n, overall score, rank."""
        return of_run.summarise_shifts(self)

    @property
    def precision_error(self) -> dict[str, MetricError] | None:
        """How far each metric's values lie from those in float32, on the first chunk; None for float32."""
        return read_precision_errors(self.info)

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
        return of_run.analyse_statistics(self, by=by, resamples=resamples, level=level, seed=seed)

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
        # Matplotlib is loaded for figures alone.
        from embshift.show.figures.material import Material
        from embshift.show.figures.render import draw_page

        return draw_page(Material(run=self), name, page=page, width=width, pictures=pictures).figure

    def report(self, out: str | Path | None = None) -> Path:
        """Write one HTML file that shows the run and opens without a network; returns its path.

        Args:
            out: The file; ``report.html`` in the run's folder where None.
        """
        from embshift.show.report.page import write_report

        return write_report(self, out)

    def separation(self, *, seed: int = 0) -> Separation:
        """Mean distance between the originals of different pictures; equal pictures count once.

        Args:
            seed: Seed of the sample of images that the mean L2 distance is over, above 5,000 images.
        """
        return of_run.analyse_separation(self, seed=seed)

    def pairs(self, *, images: int | None = None, seed: int = 0) -> Pairs:
        """Originals and, transform by transform, their views: what the measurements below are taken from.

        Args:
            images: A seeded sample of so many pictures; all where None. Equal pictures count once.
            seed: Seed of the sample.
        """
        return of_run.pair_views(self, images=images, seed=seed)

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
        return of_run.calibrate_shifts(self, floors=floors, images=images, queries=queries, seed=seed)

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
        return of_run.analyse_retrieval(
            self, neighbours=neighbours, images=images, queries=queries, search=search, seed=seed
        )

    def direction(self, *, images: int | None = None, seed: int = 0) -> Measured:
        """Whether a transform moves all pictures the same way, and how far that can be undone.

        Args:
            images: A seeded sample of so many pictures; all where None.
            seed: Seed of sample, folds and resamples.
        """
        return of_run.analyse_direction(self, images=images, seed=seed)

    def structure(
        self, *, permutations: int = PERMUTATIONS, images: int | None = None, seed: int = 0
    ) -> Measured:
        """Whether the pictures keep their arrangement, beside what chance alone would give.

        Args:
            permutations: Permutations of the chance values.
            images: A seeded sample of so many pictures; all where None.
            seed: Seed of sample and permutations.
        """
        return of_run.analyse_structure(self, permutations=permutations, images=images, seed=seed)

    def mean_shift(self, transform: str) -> Float64[np.ndarray, " dim"]:
        """The mean of z′ − z over pictures and draws, z of length 1: what `direction` tells the removal of.

        Args:
            transform: A transform of the run.
        """
        return of_run.compute_mean_shift(self, transform)

    def floors(self, *others: "Run") -> tuple[Floor, ...]:
        """Shifts of pictures that nobody changed, from this run's own transforms and from other runs.

        Args:
            others: Runs of the same pictures by the same encoder: of the preset "preparation", or with
                another resize rule, device or batch.
        """
        return find_floors(self, others)

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
        return compare(self, against, by=by, detect=detect, resamples=resamples, seed=seed)

    def order_stability(self, *, by: str = "cosine", seed: int = 0) -> tuple[Stability, ...]:
        """Kendall's τ between the order of transforms by all images and that by 10, 30, 100, … of them.

        Args:
            by: A metric of the run.
            seed: Seed of the draws.
        """
        return of_run.analyse_order_stability(self, by=by, seed=seed)

    def sweep(self, *, images: int | None = None, resamples: int = RESAMPLES, seed: int = 0) -> Sweep:
        """Shift and recall against severity or strength, transform by transform; see ``embshift sweep``.

        Args:
            images: A seeded sample of so many pictures; all where None.
            resamples: Number of resamples of the images.
            seed: Seed of sample and resamples.

        Raises:
            RunError: If no transform of the run has a severity or strength.
        """
        return of_run.analyse_sweep(self, images=images, resamples=resamples, seed=seed)

    def matched(self, *, resamples: int = RESAMPLES, seed: int = 0) -> Matched:
        """Which transform shifts most at equal damage, of a run of ``embshift match``.

        Args:
            resamples: Number of resamples of the images.
            seed: Their seed.

        Raises:
            RunError: If the run is none of ``embshift match``.
        """
        return of_run.analyse_matched(self, resamples=resamples, seed=seed)

    def clusters(
        self, *, distance: str = "cosine", linkage: str = "average", threshold: float | None = None
    ) -> Clusters:
        """Transforms clustered by the distance between their views, averaged over images.

        Args:
            distance: A distance of `embshift.analysis.embeddings.clusters.DISTANCES`.
            linkage: A method of `embshift.analysis.embeddings.clusters.LINKAGES`.
            threshold: Where the tree is cut; 0.7 of its greatest height where None.
        """
        return of_run.cluster_run(self, distance=distance, linkage=linkage, threshold=threshold)

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
    found = open_tables(folder)
    return Run(folder=found.folder, info=found.info)
