"""The run object's numbers: everything that is computed from an open run folder. Never imports torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

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
from embshift.core.threads import limit_threads
from embshift.runs.tables import RunTables

__all__ = ["MeasuredRun"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _limited(
    method: "Callable[Concatenate[MeasuredRun, Parameters], Result]",
) -> "Callable[Concatenate[MeasuredRun, Parameters], Result]":
    """Let a method compute small products on one thread."""

    @wraps(method)
    def limited(self: "MeasuredRun", *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with limit_threads(images=self.count_images()):
            return method(self, *args, **kwargs)

    return limited


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredRun(RunTables):
    """An open run folder: its tables, and the statistics computed from them.

    Attributes:
        folder: The folder.
        info: The content of ``run.json``.
    """

    def summary(self) -> Summary:
        """Return mean, deviation and n of each transform by metric, with overall score and rank."""
        return of_run.summarise_shifts(self)

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

    def floors(self, *others: "MeasuredRun") -> tuple[Floor, ...]:
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
        against: "MeasuredRun | None" = None,
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
        return of_sweeps.analyse_sweep(self, images=images, resamples=resamples, seed=seed)

    @_limited
    def matched(self, *, resamples: int = RESAMPLES, seed: int = 0) -> Matched:
        """Rank transforms by their shift at equal damage, for a run of ``embshift match``.

        Args:
            resamples: Number of resamples of the images.
            seed: Seed of the resamples.

        Raises:
            RunError: If the run was not made by ``embshift match``.
        """
        return of_sweeps.analyse_matched(self, resamples=resamples, seed=seed)

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
