"""Analyses of one run folder: from its tables to statistics, one function each."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from embshift.analysis.embeddings.calibration import calibrate
from embshift.analysis.embeddings.clusters import Clusters, check_distance, cluster_transforms, mean_distances
from embshift.analysis.embeddings.direction import mean_shift, measure_direction
from embshift.analysis.embeddings.draws import measure_variance
from embshift.analysis.embeddings.floors import Floor
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.embeddings.pairs import Pairs, make_pairs
from embshift.analysis.embeddings.retrieval import NEIGHBOURS, retrieve
from embshift.analysis.embeddings.structure import PERMUTATIONS, SAMPLE, measure_structure
from embshift.analysis.parts.order import order_part_jointly
from embshift.analysis.parts.reading import MOST_EXACT, read_parts
from embshift.analysis.parts.statistics import compute_part_statistics
from embshift.analysis.parts.summary import summarise_part
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.analysis.shifts.joint_order import JointOrder, order_jointly
from embshift.analysis.shifts.separation import Separation, compute_separation
from embshift.analysis.shifts.sizes import Stability, order_stability, sizes_up_to
from embshift.analysis.shifts.statistics import OVERALL, Statistics, compute_statistics
from embshift.analysis.shifts.table import Summary, summarise
from embshift.core.errors import RunError, UnknownNameError
from embshift.core.named import find_position
from embshift.runs.draws import draw_sums
from embshift.runs.precision import format_precision, read_precision_errors
from embshift.runs.tables import RunTables

__all__ = [
    "analyse_direction",
    "analyse_joint_order",
    "analyse_order_stability",
    "analyse_retrieval",
    "analyse_separation",
    "analyse_statistics",
    "analyse_structure",
    "analyse_variance",
    "calibrate_shifts",
    "cluster_run",
    "compute_mean_shift",
    "pair_views",
    "summarise_shifts",
]


def summarise_shifts(run: RunTables, *, limit: int = MOST_EXACT) -> Summary:
    """Return transforms by metrics: mean, deviation, n, overall score, rank.

    Args:
        run: The run.
        limit: Number of images above which values are summed in parts and not held.
    """
    told = {"map_name": str(run.info["encoder"]["map_name"]), "precision": format_precision(run.info)}
    if run.count_images() > limit:
        return summarise_part(read_parts(run), **told)
    return summarise(run.values(), metrics=run.metrics, **told)


def analyse_statistics(
    run: RunTables,
    *,
    by: str = OVERALL,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
    limit: int = MOST_EXACT,
) -> Statistics:
    """Return intervals of every mean, and which order of the transforms is certain.

    Args:
        run: The run.
        by: What transforms are ranked by: "overall" or a metric of the run.
        resamples: Number of resamples of the images.
        level: Coverage of each interval; that of the ranks is joint.
        seed: Seed of the resamples.
        limit: Number of images above which values are summed in parts and not held.
    """
    if run.count_images() > limit:
        return compute_part_statistics(read_parts(run), by=by, resamples=resamples, level=level, seed=seed)
    return compute_statistics(
        run.values(), metrics=run.metrics, by=by, resamples=resamples, level=level, seed=seed
    )


def analyse_separation(run: RunTables, *, seed: int = 0) -> Separation:
    """Return the mean distance between the originals of different images; equal images count once.

    Args:
        run: The run.
        seed: Seed of the sample of images that the mean L2 distance is over, above 5,000 images.
    """
    found = run.embeddings()
    return compute_separation(found.values[~np.isin(found.rows, list(run.repeated()))], seed=seed)


def pair_views(run: RunTables, *, images: int | None = None, seed: int = 0) -> Pairs:
    """Return the originals and, transform by transform, their views.

    Args:
        run: The run.
        images: Size of a seeded sample of the images; all where None. Equal images count once.
        seed: Seed of the sample.
    """
    found = run.embeddings()
    made = make_pairs(
        rows=found.rows,
        values=found.values,
        ids=run.image_ids(),
        transforms=run.transforms,
        read=run.read_views,
    )
    return made.sample(images, seed=seed)


def calibrate_shifts(
    run: RunTables,
    *,
    floors: Sequence[Floor] = (),
    images: int | None = None,
    queries: int | None = None,
    seed: int = 0,
) -> Measured:
    """Return shifts relative to the distances between images, and relative to floors.

    Args:
        run: The run.
        floors: What `find_floors` gave; of preparation floors the highest counts.
        images: Size of a seeded sample of the images; all where None.
        queries: Number of these whose shifts are compared with the distances to all; where None all of up to
            100,000, and 2,000 of more.
        seed: Seed of sample and resamples.
    """
    return calibrate(pair_views(run, images=images, seed=seed), floors=floors, queries=queries, seed=seed)


def analyse_retrieval(
    run: RunTables,
    *,
    neighbours: int = NEIGHBOURS,
    images: int | None = None,
    queries: int | None = None,
    search: str = "exact",
    seed: int = 0,
) -> Measured:
    """Return how well views find their originals among all images.

    Args:
        run: The run.
        neighbours: Size of the neighbourhoods that are compared.
        images: Size of a seeded sample of the images; all where None.
        queries: Number of these whose views are searched for among all; where None all of up to 100,000, and
            2,000 of more; in an approximate search always all.
        search: "exact", or "approximate" through a faiss index.
        seed: Seed of sample, index and resamples.

    Raises:
        MissingExtraError: If faiss is needed and not installed.
    """
    pairs = pair_views(run, images=images, seed=seed)
    return retrieve(pairs, neighbours=neighbours, queries=queries, search=search, seed=seed)


def analyse_direction(run: RunTables, *, images: int | None = None, seed: int = 0) -> Measured:
    """Return whether a transform moves all images the same way, and how far that can be undone.

    Args:
        run: The run.
        images: Size of a seeded sample of the images; all where None.
        seed: Seed of sample, folds and resamples.
    """
    return measure_direction(pair_views(run, images=images, seed=seed), seed=seed)


def analyse_structure(
    run: RunTables, *, permutations: int = PERMUTATIONS, images: int | None = None, seed: int = 0
) -> Measured:
    """Return whether the images keep their arrangement, beside what chance alone would give.

    Args:
        run: The run.
        permutations: Permutations of the chance values.
        images: Size of a seeded sample of the images; where None, all of up to 250, and 250 of more.
        seed: Seed of sample and permutations.
    """
    pairs = pair_views(run, images=SAMPLE if images is None else images, seed=seed)
    return measure_structure(pairs, permutations=permutations, seed=seed)


def compute_mean_shift(run: RunTables, transform: str, /) -> Float64[np.ndarray, " dim"]:
    """Return the mean over images of their mean z′ − z over draws, with z scaled to length 1.

    Args:
        run: The run.
        transform: A transform of the run.
    """
    return mean_shift(pair_views(run), transform)


def analyse_order_stability(run: RunTables, *, by: str = "cosine", seed: int = 0) -> tuple[Stability, ...]:
    """Return Kendall's τ between the order of transforms by all images and that by 10, 30, 100, … of them.

    Args:
        run: The run.
        by: A metric of the run.
        seed: Seed of the draws.
    """
    found = run.values()
    if by not in found.metrics:
        raise UnknownNameError("metric", by, found.metrics)
    column = found.values[:, :, found.metrics.index(by)]
    return order_stability(column, sizes=sizes_up_to(len(column)), seed=seed)


def analyse_joint_order(
    run: RunTables,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
    limit: int = MOST_EXACT,
) -> JointOrder:
    """Return by which metrics each transform is certainly closer than each other one, all jointly.

    Args:
        run: The run.
        resamples: Number of random sign flips; up to 13 images take all flips.
        level: Joint level over metrics and pairs.
        seed: Seed of the flips.
        limit: Number of images above which values are summed in parts and not held.
    """
    errors = read_precision_errors(run.info)
    if run.count_images() > limit:
        return order_part_jointly(read_parts(run), errors=errors, resamples=resamples, level=level, seed=seed)
    return order_jointly(
        run.values(), metrics=run.metrics, errors=errors, resamples=resamples, level=level, seed=seed
    )


def analyse_variance(run: RunTables, *, by: str = "cosine", seed: int = 0) -> Measured:
    """Return how much of a metric's variance lies between images, and how much between draws.

    Args:
        run: The run.
        by: A metric of the run.
        seed: Seed of the jackknife's groups.

    Raises:
        RunError: If the run has one draw only.
        UnknownNameError: If the run has no such metric.
    """
    find_position([spec.name for spec in run.metrics], by, kind="metric")
    if run.info["plan"].get("draws", 1) < 2:
        raise RunError(
            f"{run.folder} has one draw of each transform, which does not tell draws from images; measure"
            " with --draws 2 or more"
        )
    chunks = run.chunks("shifts", ["row", "transform", "metric", "value"])
    sums = draw_sums(chunks, transforms=run.transforms, metric=by, skip=run.repeated())
    return measure_variance(sums, metric=by, seed=seed)


def cluster_run(
    run: RunTables, *, distance: str = "cosine", linkage: str = "average", threshold: float | None = None
) -> Clusters:
    """Cluster transforms by the distance between their views, averaged over images.

    Args:
        run: The run.
        distance: A distance of `embshift.analysis.embeddings.clusters.DISTANCES`.
        linkage: A method of `embshift.analysis.embeddings.clusters.LINKAGES`.
        threshold: Where the tree is cut; 0.7 of its greatest height where None.
    """
    check_distance(distance)
    condensed, n = mean_distances(run.views_by_image(), transforms=run.transforms, distance=distance)
    return cluster_transforms(
        condensed,
        n=n,
        transforms=run.transforms,
        distance=distance,
        method=linkage,
        threshold=threshold,
    )
