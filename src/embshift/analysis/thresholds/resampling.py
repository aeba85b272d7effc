"""Resamples of the images: a pair of two images counts as often as the product of their draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from embshift.analysis.sampling.bootstrap import draw_counts
from embshift.analysis.thresholds.curves import Counts
from embshift.analysis.thresholds.scores import Scores

__all__ = ["Resampled", "resample_scores"]

_AT_ONCE = 1 << 22
"""Weights of pairs held at once: 32 MiB, twice."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resampled:
    """What every resample gives.

    Attributes:
        uap: Micro average precision.
        at_precision: Share of views kept at the precision.
        at_rates: Share of views kept at each false-positive rate.
        rates: Share of other pairs that are let in at each fixed threshold.
    """

    uap: Float64[np.ndarray, " resamples"]
    at_precision: Float64[np.ndarray, " resamples"]
    at_rates: Float64[np.ndarray, "resamples rates"]
    rates: Float64[np.ndarray, "resamples thresholds"]


def resample_scores(
    scores: Scores,
    counts: Counts,
    /,
    *,
    precision: float,
    rates: Sequence[float],
    let_in: Sequence[int],
    resamples: int,
    seed: int,
) -> Resampled:
    """Compute what is kept and let in on resamples of the images.

    A resample draws images with replacement. All views of a drawn image are drawn with it, and it is in the
    gallery as often. Its own copies are no other images: pairs of an image with itself count in no resample.
    Below the tail, pairs are taken to be drawn as often as the tail's rest.

    Args:
        scores: The scores.
        counts: Their counts.
        precision: Precision that is asked for.
        rates: False-positive rates that are asked for.
        let_in: Numbers of other pairs let in at fixed thresholds, all within the tail.
        resamples: Number of resamples.
        seed: Their seed.
    """
    parts = list[Resampled]()
    edges = np.unique(
        np.concatenate([np.minimum(counts.reach, len(scores.tail)), np.array(let_in, np.int64), [0]])
    )
    for drawn in draw_counts(len(scores.views), resamples=resamples, seed=seed):
        step = max(1, _AT_ONCE // max(len(scores.tail), len(scores.own), 1))
        for start in range(0, len(drawn), step):
            weights = drawn[start : start + step]
            parts.append(
                _resample(
                    scores, counts, weights, edges=edges, precision=precision, rates=rates, let_in=let_in
                )
            )
    return Resampled(
        uap=np.concatenate([part.uap for part in parts]),
        at_precision=np.concatenate([part.at_precision for part in parts]),
        at_rates=np.concatenate([part.at_rates for part in parts]),
        rates=np.concatenate([part.rates for part in parts]),
    )


def _resample(
    scores: Scores,
    counts: Counts,
    weights: Float64[np.ndarray, "block images"],
    *,
    edges: Int64[np.ndarray, " edges"],
    precision: float,
    rates: Sequence[float],
    let_in: Sequence[int],
) -> Resampled:
    up_to = _count_tail(scores, weights, edges)  # block edges
    total = _count_total(scores, weights)
    held, own = len(scores.tail), weights[:, scores.owner]
    reach = up_to[:, np.searchsorted(edges, np.minimum(counts.reach, held))]
    if held < scores.total:
        below = np.maximum(counts.reach - held, 0) / (scores.total - held)
        last = up_to[:, np.searchsorted(edges, min(held, edges[-1]))]
        reach += below * np.maximum(total - last, 0.0)[:, None]
    kept = np.cumsum(own, axis=1)
    views = kept[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = kept - 0.5 * np.maximum(own - 1, 0)  # copies of a view follow each other
        precisions = np.divide(middle, middle + reach, out=np.zeros_like(kept), where=own > 0)
        through = kept[:, counts.views - 1]
        right = through >= precision * (through + reach)
        at_rates = [_share(own, reach <= (rate * total)[:, None]) / views for rate in rates]
        rate_at = up_to[:, np.searchsorted(edges, let_in)] / total[:, None]
        return Resampled(
            uap=_share(own, precisions) / views,
            at_precision=np.where(right & (own > 0), through, 0.0).max(axis=1) / views,
            at_rates=np.stack(at_rates, axis=1) if rates else np.empty((len(own), 0)),
            rates=rate_at,
        )


def _share(
    own: Float64[np.ndarray, "block views"], values: Float64[np.ndarray, "..."] | Bool[np.ndarray, "..."]
) -> Float64[np.ndarray, " block"]:
    return np.einsum("ij,ij->i", own, values.astype(np.float64))


def _count_tail(
    scores: Scores, weights: Float64[np.ndarray, "block images"], edges: Int64[np.ndarray, " edges"]
) -> Float64[np.ndarray, "block edges"]:
    """Return the weight of the highest pairs up to each edge; the first edge is 0."""
    last = int(edges[-1])
    found = np.zeros((len(weights), len(edges)))
    if last:
        narrow = weights.astype(np.float32)
        drawn = narrow[:, scores.tail.image[:last]] * narrow[:, scores.tail.other[:last]]
        found[:, 1:] = np.add.reduceat(drawn, edges[:-1], axis=1)
    return np.cumsum(found, axis=1)


def _count_total(
    scores: Scores, weights: Float64[np.ndarray, "block images"]
) -> Float64[np.ndarray, " block"]:
    """Return the weight of all other pairs: every view with every image that is not its own."""
    found = (weights @ scores.views) * weights.sum(axis=1) - weights**2 @ scores.views
    for image, other in np.array_split(scores.left_out.T, max(1, len(scores.left_out) // 65_536), axis=1):
        found -= (weights[:, image] * weights[:, other]) @ scores.views[image]
    return found
