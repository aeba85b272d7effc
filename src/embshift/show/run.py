"""The run object: a run folder opened for reading, with everything computed from it. Never imports torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, TypeVar

import numpy as np
from jaxtyping import Float64

from embshift.analysis import of_run, of_sweeps
from embshift.analysis.between_runs import compare, find_floors
from embshift.analysis.embeddings.clusters import Clusters
from embshift.analysis.embeddings.floors import Floor
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.embeddings.retrieval import NEIGHBOURS
from embshift.analysis.embeddings.structure import PERMUTATIONS
from embshift.analysis.explanation import Explanation, open_explanation
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.analysis.shifts.joint_order import JointOrder
from embshift.analysis.shifts.paired_tests import PairedTests
from embshift.analysis.shifts.separation import Separation
from embshift.analysis.shifts.sizes import Stability
from embshift.analysis.shifts.statistics import OVERALL, Statistics
from embshift.analysis.shifts.table import Summary
from embshift.analysis.strength.matched import Matched
from embshift.analysis.strength.sweep import Sweep
from embshift.analysis.strength.worst_case import WorstCases
from embshift.core.progress import Reporter
from embshift.core.threads import limit_threads
from embshift.runs.precision import MetricError, read_precision_errors
from embshift.runs.studies import STUDIES
from embshift.runs.tables import RunTables, open_tables
from embshift.show.text.summary import summary_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Run", "open_run"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _limited(
    method: "Callable[Concatenate[Run, Parameters], Result]",
) -> "Callable[Concatenate[Run, Parameters], Result]":
    """Let a method compute small products on one thread."""

    @wraps(method)
    def limited(self: "Run", *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with limit_threads(images=self.count_images()):
            return method(self, *args, **kwargs)

    return limited


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run(RunTables):
    """An open run folder: its tables, and the statistics, figures and report computed from them.

    Attributes:
        folder: The folder.
        info: The content of ``run.json``.
    """

    def summary(self) -> Summary:
        """Return mean, deviation and n of each transform by metric, with overall score and rank."""
        return of_run.summarise_shifts(self)

    @property
    def precision_error(self) -> dict[str, MetricError] | None:
        """Return each metric's error relative to float32, on the first chunk; None for a float32 run."""
        return read_precision_errors(self.info)

    @_limited
    def statistics(
        self, *, by: str = OVERALL, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
    ) -> Statistics:
        """Compute intervals of all means and the certain order of the transforms: bootstrap over images.

        Args:
            by: Score that ranks the transforms: "overall" or a metric of the run.
            resamples: Number of resamples of the images.
            level: Coverage of each interval; for the ranks it is joint.
            seed: Seed of the resamples.
        """
        return of_run.analyse_statistics(self, by=by, resamples=resamples, level=level, seed=seed)

    def figure(
        self,
        name: str,
        *,
        width: float = 6.9,
        page: int = 1,
        pictures: int = 4,
        plain: bool = False,
        style: str | Path | None = None,
    ) -> "Figure":
        """Render a figure of the run; its ``get_label()`` is the alt text.

        Args:
            name: A figure of ``embshift list figures``, e.g. "dendrogram".
            width: Width in inches: 3.3 for one column, 6.9 for a page with two columns. The height follows.
            page: Page of a figure with several pages, from 1.
            pictures: Number of images in figures that show images.
            plain: Leave out title and notes, for a caption in their place; the alt text stays.
            style: A style that matplotlib knows, or the path of a style sheet: fonts, lines and grid on top
                of the package's own style.

        Raises:
            FigureError: If the run lacks data that the figure needs, or the figure has no such page.
            UnknownNameError: If there is no such figure or style.
            UsageError: If the style sheet cannot be read or parsed.
        """
        # Only figures load Matplotlib.
        from embshift.show.figures.material import Material
        from embshift.show.figures.render import render_page

        material = Material(run=self)
        found = render_page(
            material, name, page=page, width=width, pictures=pictures, plain=plain, style=style
        )
        return found.figure

    def report(self, out: str | Path | None = None) -> Path:
        """Write the report, one HTML file that opens without a network, and return its path.

        Args:
            out: Path of the file; ``report.html`` in the run folder if None.
        """
        from embshift.show.report.page import write_report

        return write_report(self, out)

    @_limited
    def separation(self, *, seed: int = 0) -> Separation:
        """Compute the mean distance between the originals of different images; equal images count once.

        Args:
            seed: Seed of the sample of images for the mean L2 distance, used above 5,000 images.
        """
        return of_run.analyse_separation(self, seed=seed)

    def pairs(self, *, images: int | None = None, seed: int = 0) -> Pairs:
        """Return originals and their views by transform, the input of the measurements below.

        Args:
            images: Size of a seeded sample of images; all images if None. Equal images count once.
            seed: Seed of the sample.
        """
        return of_run.pair_views(self, images=images, seed=seed)

    @_limited
    def calibration(
        self,
        *,
        floors: Sequence[Floor] = (),
        images: int | None = None,
        queries: int | None = None,
        seed: int = 0,
    ) -> Measured:
        """Compare shifts with the distances between images and with floors; see `floors`.

        Args:
            floors: Result of `floors`; the highest of several preparation floors counts.
            images: Size of a seeded sample of images; all images if None.
            queries: Number of these images whose shifts are compared with the distances to all others; if
                None, all of up to 100,000 images, and 2,000 of more.
            seed: Seed of sample and resamples.
        """
        return of_run.calibrate_shifts(self, floors=floors, images=images, queries=queries, seed=seed)

    @_limited
    def retrieval(
        self,
        *,
        neighbours: int = NEIGHBOURS,
        images: int | None = None,
        queries: int | None = None,
        search: str = "exact",
        seed: int = 0,
    ) -> Measured:
        """Measure how well views find their originals among all images.

        Args:
            neighbours: Size of the neighbourhoods that are compared.
            images: Size of a seeded sample of images; all images if None.
            queries: Number of these images whose views search among all; if None, all of up to 100,000
                images, and 2,000 of more. An approximate search always uses all.
            search: "exact", or "approximate" with a faiss index.
            seed: Seed of sample, index and resamples.

        Raises:
            MissingExtraError: If an approximate search needs faiss and it is not installed.
        """
        return of_run.analyse_retrieval(
            self, neighbours=neighbours, images=images, queries=queries, search=search, seed=seed
        )

    @_limited
    def direction(self, *, images: int | None = None, seed: int = 0) -> Measured:
        """Measure whether a transform moves all images in the same direction, and how much can be undone.

        Args:
            images: Size of a seeded sample of images; all images if None.
            seed: Seed of sample, folds and resamples.
        """
        return of_run.analyse_direction(self, images=images, seed=seed)

    @_limited
    def structure(
        self, *, permutations: int = PERMUTATIONS, images: int | None = None, seed: int = 0
    ) -> Measured:
        """Measure how well the geometry of the images is preserved, with the values expected by chance.

        Args:
            permutations: Number of permutations for the chance values.
            images: Size of a seeded sample of images; if None, all of up to 250 images, and 250 of more.
            seed: Seed of sample and permutations.
        """
        return of_run.analyse_structure(self, permutations=permutations, images=images, seed=seed)

    def mean_shift(self, transform: str) -> Float64[np.ndarray, " dim"]:
        """Compute the mean over images of their mean z′ − z over draws, z of length 1; see `direction`.

        Args:
            transform: A transform of the run.
        """
        return of_run.compute_mean_shift(self, transform)

    def floors(self, *others: "Run") -> tuple[Floor, ...]:
        """Measure the shifts of unchanged images, from this run's own transforms and from other runs.

        Args:
            others: Runs of the same images and encoder: of the preset "preparation", or with another
                resizing rule, device or batch.
        """
        return find_floors(self, others)

    @_limited
    def differences(
        self,
        *,
        by: str = "cosine",
        against: "Run | None" = None,
        detect: float | None = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> PairedTests:
        """Test differences between transforms, or of each transform between two runs: paired permutations.

        Args:
            by: A metric of the run.
            against: Another run of the same images, e.g. with another encoder.
            detect: Difference for which to compute the required number of images.
            resamples: Number of random sign flips; up to 13 images take all flips.
            seed: Seed of the sign flips.
        """
        return compare(self, against, by=by, detect=detect, resamples=resamples, seed=seed)

    @_limited
    def joint_order(self, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> JointOrder:
        """Test on which pairs of transforms all metrics agree, and on which they contradict each other.

        Args:
            resamples: Number of random sign flips; up to 13 images take all flips.
            level: Joint level, over all metrics and pairs together.
            seed: Seed of the sign flips.
        """
        return of_run.analyse_joint_order(self, resamples=resamples, level=level, seed=seed)

    @_limited
    def order_stability(self, *, by: str = "cosine", seed: int = 0) -> tuple[Stability, ...]:
        """Compute Kendall's τ between the order of transforms by all images and by 10, 30, 100, … of them.

        Args:
            by: A metric of the run.
            seed: Seed of the samples.
        """
        return of_run.analyse_order_stability(self, by=by, seed=seed)

    @_limited
    def variance(self, *, by: str = "cosine", seed: int = 0) -> Measured:
        """Split a metric's variance into that between images and that between draws of an image.

        Args:
            by: A metric of the run.
            seed: Seed of the jackknife's groups.

        Raises:
            RunError: If the run has one draw only.
        """
        return of_run.analyse_variance(self, by=by, seed=seed)

    @_limited
    def sweep(self, *, images: int | None = None, resamples: int = RESAMPLES, seed: int = 0) -> Sweep:
        """Compute shift and recall by severity or strength of each transform; see ``embshift sweep``.

        Args:
            images: Size of a seeded sample of images; all images if None.
            resamples: Number of resamples of the images.
            seed: Seed of sample and resamples.

        Raises:
            RunError: If no transform of the run has a severity or strength.
        """
        return of_run.analyse_sweep(self, images=images, resamples=resamples, seed=seed)

    @_limited
    def matched(self, *, resamples: int = RESAMPLES, seed: int = 0) -> Matched:
        """Rank transforms by their shift at equal damage, for a run of ``embshift match``.

        Args:
            resamples: Number of resamples of the images.
            seed: Seed of the resamples.

        Raises:
            RunError: If the run was not made by ``embshift match``.
        """
        return of_run.analyse_matched(self, resamples=resamples, seed=seed)

    @_limited
    def worst_case(
        self, *, images: int | None = None, resamples: int = RESAMPLES, seed: int = 0
    ) -> WorstCases:
        """Compute how far apart an image and its views are over all severities of a sweep.

        Where labels are stored, as by ``embshift explain SWEEP --labels FILE``, also how often they flip, and
        how well the radius predicts it.

        Args:
            images: Size of a seeded sample of images; all images if None.
            resamples: Number of resamples of the images.
            seed: Seed of sample and resamples.

        Raises:
            RunError: If the run is no sweep.
        """
        return of_sweeps.measure_worst_case(self, images=images, resamples=resamples, seed=seed)

    def explain(
        self,
        *,
        images: int = 256,
        patch: Literal["direct", "class", "full"] = "class",
        patch_images: int = 64,
        seed: int = 0,
        words: str | Path | None = None,
        labels: str | Path | None = None,
        captions: str | Path | None = None,
        prompts: Sequence[str] = (),
        vectors: str | Path | None = None,
        reporter: Reporter | None = None,
    ) -> Explanation:
        """Measure where in the network of its encoder the run's shifts arise; see ``embshift explain``.

        The same call continues an interrupted explanation, and returns at once when it is finished. Loads
        torch, unlike the other methods.

        Args:
            images: Size of a seeded sample of images; equal images count once.
            patch: Most expensive exchange of parts: "direct", "class" or "full".
            patch_images: Number of these images on which parts are exchanged.
            seed: Seed of the sample.
            words: A file of words, one a line; those that ship if None.
            labels: A file of labels, or "folders" for the images' folders; none if None.
            captions: A file of captions: CSV, TSV or JSON Lines; none if None.
            prompts: Texts with ``{}`` that words and labels are put into; "a photo of a {}" if empty.
            vectors: A Parquet file with the columns text and vector, for an encoder without a text side.
            reporter: Who is told about the progress; the module ``logging`` where None.

        Raises:
            EncoderError: If the encoder is not the run's, its network cannot be explained, or it cannot read
                the texts that are asked for.
            PlanError: If a number is out of range, or a file of texts cannot be used.
            ResumeError: If the folder holds an explanation with other options.
            RunError: If the run is not finished, or its images cannot be read again.
            StorageError: If results cannot be written.
            UnknownNameError: If there is no such kind of patch.
        """
        STUDIES["explain"](
            self,
            images=images,
            patch=patch,
            patch_images=patch_images,
            seed=seed,
            words=words,
            labels=labels,
            captions=captions,
            prompts=(prompts,) if isinstance(prompts, str) else tuple(prompts),
            vectors=vectors,
            reporter=reporter,
        )
        return self.explanation()

    def explanation(self) -> Explanation:
        """Open what ``embshift explain`` has stored: where in the network the shifts arise.

        Raises:
            RunError: If the run is not explained, or not to its end.
        """
        return open_explanation(self)

    @_limited
    def clusters(
        self, *, distance: str = "cosine", linkage: str = "average", threshold: float | None = None
    ) -> Clusters:
        """Cluster transforms by the distance between their views, averaged over images.

        Args:
            distance: A distance of `embshift.analysis.embeddings.clusters.DISTANCES`.
            linkage: A method of `embshift.analysis.embeddings.clusters.LINKAGES`.
            threshold: Height at which the tree is cut; 0.7 of its greatest height if None.
        """
        return of_run.cluster_run(self, distance=distance, linkage=linkage, threshold=threshold)

    def _repr_html_(self) -> str:
        return summary_html(self.summary(), title=f"{self.info['encoder']['name']} · {self.folder.name}")

    def __repr__(self) -> str:
        counts = {"images": "?", "failed": "?"} | self.info["counts"]  # unknown before the run is finished
        return (
            f"Run({str(self.folder)!r}: {counts['images']} images, {counts['failed']} failed,"
            f" {len(self.transforms)} transforms, encoder {self.info['encoder']['name']})"
        )


def open_run(folder: str | Path) -> Run:
    """Open a run folder for reading.

    Args:
        folder: A run folder, e.g. the one that ``embshift run`` printed.

    Raises:
        RunError: If the folder is not a run folder, or a later version wrote it.
    """
    found = open_tables(folder)
    return Run(folder=found.folder, info=found.info)
