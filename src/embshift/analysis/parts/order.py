"""Whether metrics agree on the order of transforms, and the ranking on common images, from sums in parts."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.parts.normal import clear_rounding, draw_normal
from embshift.analysis.parts.part import Part, find_centres
from embshift.analysis.parts.statistics import NormalScores, rank_scores
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.analysis.shifts.joint_order import JointOrder, check_joint, decide_order
from embshift.analysis.shifts.ranks import Ranks
from embshift.analysis.shifts.sign_flips import count_reached
from embshift.core.types import MetricSpec
from embshift.runs.precision import MetricError

__all__ = ["count_lacking", "order_part_jointly", "rank_common_part"]

_SAME = 1e-12
"""Squared differences up to this share of the squared values are rounding of float32."""

_TIE = 1e-9
"""Statistics closer than this, relative to the greatest possible one, are equal."""

DRAWS_AT_ONCE = 1 << 22
"""Statistics held at once: 32 MiB."""


def order_part_jointly(
    part: Part,
    *,
    errors: Mapping[str, MetricError] | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> JointOrder:
    """Test every two transforms by every metric, as `order_jointly` does, from sums.

    Over many images, sums with random signs are normal, with the sums of products as their covariance: draws
    from it take the place of flips.

    Args:
        part: The sums of a run.
        errors: Errors of the metrics in the run's precision; differences up to these are rounding.
        level: Joint level.
        resamples: Number of draws, 100 or more.
        seed: Their seed.

    Raises:
        PlanError: If `resamples` or `level` are out of range.
    """
    check_joint(resamples=resamples, level=level)
    transforms, metrics = part.shape
    first, second = np.triu_indices(transforms, 1)
    # Columns by metric: those of one metric follow each other.
    order = np.arange(transforms * metrics).reshape(part.shape).T
    lengths, seen = _measure_pairs(part, order, first=first, second=second)
    known = ~np.isnan(lengths)
    found = _draw_pairs(part, order, pairs=(first, second), lengths=lengths, resamples=resamples, seed=seed)
    test = count_reached(
        seen[known],
        (block[:, known] for block in found),
        known=known,
        images=part.images,
        resamples=resamples,
        margin=_TIE * float(np.sqrt(part.images)),
    )
    return decide_order(
        test,
        means=_common_means(part, order),
        images=part.whole.n,
        transforms=part.transforms,
        metrics=part.metrics,
        errors=errors,
        level=level,
    )


def _measure_pairs(
    part: Part, order: Int64[np.ndarray, "metrics transforms"], *, first: np.ndarray, second: np.ndarray
) -> tuple[Float64[np.ndarray, " pairs"], Float64[np.ndarray, " pairs"]]:
    """Return length and size of the statistic of every metric and pair.

    The length is the root sum of squared differences: infinite where these are rounding, NaN without a value.
    """
    lengths, seen = list[np.ndarray](), list[np.ndarray]()
    centres = find_centres(part.metrics)
    for at, own in enumerate(order):
        one, other = own[first], own[second]
        cross, sums, n = part.whole.cross, part.whole.sums, part.whole.n[at]
        squares = cross[one, one] + cross[other, other] - 2 * cross[one, other]
        # Σx² of all values, from distances to the centre.
        held = own[part.whole.held[own]]
        whole = float((np.diag(cross)[held] + 2 * centres[at] * sums[held] + n * centres[at] ** 2).sum())
        length = np.where(squares <= _SAME * whole, np.inf, np.sqrt(np.maximum(squares, 0.0)))
        lacking = ~(part.whole.held[one] & part.whole.held[other]) | (n == 0)
        lengths.append(np.where(lacking, np.nan, length))
        seen.append(np.abs(sums[one] - sums[other]) / length)
    return np.concatenate([np.empty(0), *lengths]), np.concatenate([np.empty(0), *seen])


def _draw_pairs(
    part: Part,
    order: Int64[np.ndarray, "metrics transforms"],
    *,
    pairs: tuple[np.ndarray, np.ndarray],
    lengths: Float64[np.ndarray, " pairs"],
    resamples: int,
    seed: int,
) -> Iterator[Float64[np.ndarray, "block pairs"]]:
    """Yield the sizes of all statistics under random signs, block by block."""
    drawn = draw_normal(_centre(part, order), resamples=resamples, seed=seed)
    per = len(pairs[0])
    block = max(1, DRAWS_AT_ONCE // max(len(lengths), 1))
    for start in range(0, resamples, block):
        rows = drawn[start : start + block]
        found = [
            np.abs(rows[:, own[pairs[0]]] - rows[:, own[pairs[1]]]) / lengths[at * per : (at + 1) * per]
            for at, own in enumerate(order)
        ]
        yield np.concatenate(found, axis=1)


def _centre(
    part: Part, order: Int64[np.ndarray, "metrics transforms"]
) -> Float64[np.ndarray, "columns columns"]:
    """Return the sums of products of distances from each image's mean over transforms, metric by metric.

    What all transforms share of an image cancels in their differences, and would only cost digits.
    """
    columns = order.size
    centred = np.eye(columns)
    for own in order:
        held = own[part.whole.held[own]]
        centred[np.ix_(held, held)] -= 1 / max(len(held), 1)
    found = centred @ part.whole.cross @ centred.T
    return (found + found.T) / 2


def _common_means(
    part: Part, order: Int64[np.ndarray, "metrics transforms"]
) -> Float64[np.ndarray, "metrics transforms"]:
    n = part.whole.n[:, None]
    found = part.whole.sums[order] / np.maximum(n, 1) + find_centres(part.metrics)[:, None]
    return np.where(part.whole.held[order] & (n > 0), found, np.nan)


def count_lacking(part: Part) -> Mapping[str, int]:
    """Return how many images lack performance metrics, by transform: of the ranked ones that lack some."""
    lacking = part.images - part.complete
    return {
        name: int(lacking[at])
        for at, name in enumerate(part.transforms)
        if part.scores.held[at] and lacking[at]
    }


def rank_common_part(
    part: Part, *, resamples: int, level: float = LEVEL, seed: int = 0
) -> tuple[int, Ranks] | None:
    """Rank transforms on the images where each has all its performance metrics.

    Args:
        part: The sums of a run.
        resamples: Number of draws.
        level: Joint coverage of the rank intervals.
        seed: Seed of the draws.

    Returns:
        Number of these images, and the ranks; None where all images are common, or where none is.
    """
    n, held = int(part.scores.n.sum()), part.scores.held
    if n in (0, part.images):
        return None
    mean = part.scores.sums / n
    covariance = clear_rounding((part.scores.cross / n - mean[:, None] * mean) / n)
    scores = NormalScores(
        mean=np.where(held, mean + _mean_centre(part.metrics), np.nan),
        covariance=covariance,
        n=np.where(held, n, 0),
        images=n,
    )
    ranks = rank_scores(
        scores, transforms=part.transforms, spec=None, resamples=resamples, level=level, seed=seed
    )
    return n, ranks


def _mean_centre(metrics: Sequence[MetricSpec]) -> float:
    taken = [centre for centre, spec in zip(find_centres(metrics), metrics, strict=True) if spec.performance]
    return float(np.mean(taken)) if taken else 0.0
